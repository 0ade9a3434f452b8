import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** Longest app, instance or service name, in characters (code points). */
export const maxNameLength = 255

// DEL and C1 controls, line separators, and the characters that reorder text in a terminal (Unicode TR 36, 3.2).
const steering = "\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069"
const unprintable = new RegExp(`[\\u0000-\\u001f${steering}]`)
const unprintableEach = new RegExp(unprintable.source, "g")
const steeringEach = new RegExp(`[${steering}]`, "g")

/** The text with each character that would steer a terminal as `\u{…}`: an older program may have stored such names. */
export const escapeControls = (text: string): string =>
  text.replace(unprintableEach, (char) => `\\u{${char.charCodeAt(0).toString(16)}}`)

/** JSON text with the same characters as `\u…`, which parses to the same value. JSON itself escapes only C0 controls. */
export const escapeJson = (json: string): string =>
  json.replace(steeringEach, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** Whether a text has no lone surrogates, which SQLite would store as other characters. */
export const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text)

/** The message when an app, an instance or a service is missing or blank. */
const namesRequired = "app, instance, and service are required"

// White space, format characters, and the letters that are blank by design (Hangul fillers, Braille blank).
const invisible = /[\s\p{Cf}\u115f\u1160\u2800\u3164\uffa0]/gu

const nameProblem = (field: string, name: string): string | undefined => {
  if (name.replace(invisible, "") === "") return namesRequired
  if (name.length > maxNameLength && [...name].length > maxNameLength) {
    return `${field} must be at most ${maxNameLength} characters long`
  }
  if (!isWellFormed(name)) return `${field} must be valid Unicode text`
  if (unprintable.test(name)) return `${field} must not contain control or text-direction characters`
  return undefined
}

const isString = (field: string) => ({
  message: (issue: ParseResult.ParseIssue) => (issue.actual === null ? namesRequired : `${field} must be a string`)
})

/**
 * A field for a name that an allocation can have: 1 to 255 characters, not blank, no control or text-direction
 * characters, no lone surrogates. Stored as given, compared exactly.
 */
export const NameField = (field: "app" | "instance" | "service") =>
  Schema.propertySignature(
    Schema.String.annotations(isString(field)).pipe(
      Schema.filter((value) => nameProblem(field, value), {
        description: `name of the ${field}`,
        jsonSchema: { minLength: 1, maxLength: maxNameLength }
      })
    )
  ).annotations({ missingMessage: () => namesRequired })

/** The same name on its own, in a flag, a variable or a file: a blank one has a message of its own. */
export const Name = (field: "app" | "instance" | "service") =>
  Schema.String.annotations({ message: () => `${field} must be a string` }).pipe(
    Schema.filter(
      (value) => {
        const problem = nameProblem(field, value)
        return problem === namesRequired ? `${field} must not be blank` : problem
      },
      { description: `name of the ${field}`, jsonSchema: { minLength: 1, maxLength: maxNameLength } }
    )
  )
