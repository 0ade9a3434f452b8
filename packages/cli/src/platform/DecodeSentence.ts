import { InvalidRequest } from "@port-server/domain/CommonErrors"
import * as Effect from "effect/Effect"
import type * as ParseResult from "effect/ParseResult"
import * as AST from "effect/SchemaAST"

/** A field that a schema does not know, and those that it has in its place. */
interface Misspelling {
  readonly field: string
  readonly known: ReadonlyArray<string>
}

const misspelling = (issue: ParseResult.ParseIssue, parent: AST.AST, field: PropertyKey): Misspelling | undefined => {
  switch (issue._tag) {
    case "Unexpected":
      return AST.isTypeLiteral(parent)
        ? { field: String(field), known: parent.propertySignatures.map(({ name }) => String(name)) }
        : undefined
    case "Composite": {
      const [first] = [issue.issues].flat()
      return first === undefined ? undefined : misspelling(first, issue.ast, field)
    }
    case "Pointer":
      return misspelling(issue.issue, parent, [issue.path].flat().at(-1) ?? field)
    case "Refinement":
    case "Transformation":
      return misspelling(issue.issue, parent, field)
    default:
      return undefined
  }
}

/** What a decoder found wrong in a file that people write, as one sentence; with the field that was probably meant. */
export const decodeSentence = (error: ParseResult.ParseError): Effect.Effect<string> => {
  const { message } = InvalidRequest.fromParseError(error)
  const found = misspelling(error.issue, AST.neverKeyword, "")
  // The sentence may be about something else, which a schema says in words of its own.
  if (found === undefined || !message.endsWith(`unknown field ${JSON.stringify(found.field)}`)) {
    return Effect.succeed(message)
  }
  // Most files are right, and to compare words takes a library.
  return Effect.map(
    Effect.promise(() => import("@port-server/command-line/command/Suggestion")),
    ({ suggest }) => {
      const meant = suggest(found.field, found.known)
      return meant === undefined ? message : `${message}, did you mean ${JSON.stringify(meant)}?`
    }
  )
}
