import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { NumberFromDigits, RequestedPort, RequestedPortFromDigits } from "./Port.ts"

/** Number of an allocation: positive, given in order, never given twice. */
export const AllocationId = Schema.Number.pipe(
  Schema.filter((id) => Number.isSafeInteger(id) && id >= 1),
  Schema.brand("AllocationId"),
  Schema.annotations({
    identifier: "AllocationId",
    description: "number of an allocation, never given twice",
    jsonSchema: { type: "integer", minimum: 1 },
    message: () => ({ message: "invalid id", override: true })
  })
)
/** Number of an allocation: positive, given in order, never given twice. */
export type AllocationId = typeof AllocationId.Type

/** {@link AllocationId} written in digits, as in a path or a flag. */
export const AllocationIdFromDigits = Schema.compose(NumberFromDigits, AllocationId)

/** Longest app, instance or service name, in characters (code points). */
export const maxNameLength = 255

// C0, DEL and C1 controls, line separators, and the characters that reorder text in a terminal (Unicode TR 36, 3.2).
const unprintable = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/
const unprintableEach = new RegExp(unprintable.source, "g")

/**
 * The text with every character that would steer a terminal written as `\u{…}`, for names that an older program stored.
 */
export const escapeControls = (text: string): string =>
  text.replace(unprintableEach, (char) => `\\u{${char.charCodeAt(0).toString(16)}}`)

/** Whether a text has no lone surrogates, which SQLite would store as other characters. */
export const wellFormed = (text: string) => !/\p{Surrogate}/u.test(text)

/** Said when an app, an instance or a service is missing or blank. */
export const namesRequired = "app, instance, and service are required"

// White space, format characters, and the letters that are blank by design (Hangul fillers, Braille blank).
const invisible = /[\s\p{Cf}\u115f\u1160\u2800\u3164\uffa0]/gu

const nameProblem = (field: string, name: string): string | undefined => {
  if (name.replace(invisible, "") === "") return namesRequired
  if (name.length > maxNameLength && [...name].length > maxNameLength) {
    return `${field} must be at most ${maxNameLength} characters long`
  }
  if (!wellFormed(name)) return `${field} must be valid Unicode text`
  if (unprintable.test(name)) return `${field} must not contain control or text-direction characters`
  return undefined
}

const isString = (field: string) => ({
  message: (issue: ParseResult.ParseIssue) => (issue.actual === null ? namesRequired : `${field} must be a string`)
})

/**
 * A name that an allocation can be given: 1 to 255 characters, not blank, no control or text-direction characters, no
 * lone surrogates. Kept as given, compared exactly.
 *
 * @param field what the sentence about a bad name calls it
 */
export const name = (field: "app" | "instance" | "service") =>
  Schema.propertySignature(
    Schema.String.annotations(isString(field)).pipe(
      Schema.filter((value) => nameProblem(field, value), {
        description: `name of the ${field}`,
        jsonSchema: { minLength: 1, maxLength: maxNameLength }
      })
    )
  ).annotations({ missingMessage: () => namesRequired })

/** A name as {@link name} wants it, alone: in a flag, a variable, or a file. A blank one is told apart. */
export const nameText = (field: "app" | "instance" | "service") =>
  Schema.String.annotations({ message: () => `${field} must be a string` }).pipe(
    Schema.filter(
      (value) => {
        const problem = nameProblem(field, value)
        return problem === namesRequired ? `${field} must not be blank` : problem
      },
      { description: `name of the ${field}`, jsonSchema: { minLength: 1, maxLength: maxNameLength } }
    )
  )

/**
 * Reject fields that are not in the schema, so that a misspelt one is never silently ignored.
 */
export const exact = { parseOptions: { onExcessProperty: "error" } } as const

/** What is asked for when a port is to be allocated. `port` absent or 0: the first free one of the server's range. */
export const AllocationRequest = Schema.Struct({
  app: name("app"),
  instance: name("instance"),
  service: name("service"),
  port: Schema.optionalWith(RequestedPort, { exact: true })
}).annotations({ identifier: "AllocationRequest", ...exact })
/** What is asked for when a port is to be allocated. */
export type AllocationRequest = typeof AllocationRequest.Type

/**
 * A port that belongs to a service of an instance of an app, from `created_at` (UTC, whole seconds,
 * `2025-02-08T15:04:05Z`) until it is released.
 *
 * Its fields are as wide as what a database may hold: another program may have stored names and ports that
 * {@link AllocationRequest} would refuse, and they are still listed.
 */
export class Allocation extends Schema.Class<Allocation>("Allocation")({
  id: Schema.Int.pipe(Schema.brand("AllocationId")),
  app: Schema.String,
  instance: Schema.String,
  service: Schema.String,
  port: Schema.Int,
  created_at: Schema.String.annotations({
    description: "UTC, whole seconds",
    examples: ["2025-02-08T15:04:05Z"]
  }),
  path: Schema.optionalWith(Schema.String.annotations({ description: "the project folder that it was ensured for" }), {
    exact: true
  })
}) {
  /** Whether it belongs to the very same service of the same instance of the same app. */
  hasOwnerOf(other: Pick<AllocationRequest, "app" | "instance" | "service">): boolean {
    return this.app === other.app && this.instance === other.instance && this.service === other.service
  }

  /** The owner, as people write it: `myapp/dev/postgres`. */
  get owner(): string {
    return escapeControls(`${this.app}/${this.instance}/${this.service}`)
  }
}

// A filter may name what an older program stored, so all that it refuses is what no stored name can equal.
const filterText = (field: string) =>
  Schema.String.annotations({ message: () => `${field} must be a string` }).pipe(
    Schema.filter((value) => wellFormed(value) || `${field} must be valid Unicode text`)
  )

const filterFields = {
  app: Schema.optionalWith(filterText("app"), { exact: true }),
  instance: Schema.optionalWith(filterText("instance"), { exact: true }),
  service: Schema.optionalWith(filterText("service"), { exact: true }),
  path: Schema.optionalWith(filterText("path"), { exact: true })
}

/** Which allocations are meant: those that equal every field given. An empty name or port 0 counts as not given. */
export const AllocationFilter = Schema.Struct({
  ...filterFields,
  port: Schema.optionalWith(RequestedPort, { exact: true })
}).annotations({ identifier: "AllocationFilter", ...exact })
/** Which allocations are meant: those that equal every field given. */
export type AllocationFilter = typeof AllocationFilter.Type

/** {@link AllocationFilter} as the query of a URL. */
export const SelectorFromQuery = Schema.Struct({
  ...filterFields,
  port: Schema.optionalWith(
    Schema.transform(Schema.String, RequestedPortFromDigits, {
      strict: true,
      decode: (text) => (text === "" ? "0" : text),
      encode: (digits) => digits
    }),
    { exact: true }
  )
}).annotations(exact)

/** Whether a selector means every allocation, because it gives no field. */
export const isEmptyFilter = (selector: AllocationFilter): boolean =>
  !(selector.app || selector.instance || selector.service || selector.port || selector.path)

/** {@link AllocationFilter} that gives at least one field, so that nothing can release everything by accident. */
export const NonEmptyFilter = AllocationFilter.pipe(
  Schema.filter((selector) => (isEmptyFilter(selector) ? "at least one filter is required" : undefined)),
  Schema.annotations({ identifier: "NonEmptyFilter" })
)
