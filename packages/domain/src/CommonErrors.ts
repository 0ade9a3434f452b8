import * as Data from "effect/Data"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { sentence, sentenceBody, wire } from "./ErrorBody.ts"
import { escapeControls } from "./Name.ts"

// The errors that every endpoint can have, apart from those of a few: they need no schema of an allocation.

/** Our schemas say whole sentences; the library's own words say nothing to the one who wrote the request. */
const sentenceOf = ({ _tag, message, path }: ParseResult.ArrayFormatterIssue): string => {
  const place = path.length === 0 ? "the body" : path.join(".")
  if (_tag === "Unexpected") {
    const sentence = `unknown field ${JSON.stringify(String(path.at(-1)).slice(0, 100))}`
    return path.length > 1 ? `${path.slice(0, -1).join(".")}: ${sentence}` : sentence
  }
  if (message === "is missing") return `${place} is missing`
  if (message.startsWith("Expected ")) return `${place} has a wrong value`
  return path.length > 1 ? `${place}: ${message}` : message
}

/** 400: the request is not one that the API knows; `message` says why. */
export class InvalidRequest extends Data.TaggedError("InvalidRequest")<{ readonly message: string }> {
  static readonly body = Schema.transform(sentenceBody, Schema.instanceOf(InvalidRequest), {
    strict: true,
    decode: ({ error }) => new InvalidRequest({ message: error }),
    encode: ({ message }) => ({ error: message })
  }).annotations(wire(400, "InvalidRequest"))

  /** What a decoder found wrong, as one sentence of at most 300 characters. */
  static fromIssue(issue: ParseResult.ArrayFormatterIssue | undefined): InvalidRequest {
    const text = issue === undefined ? "invalid request" : sentenceOf(issue)
    return new InvalidRequest({ message: escapeControls(text.slice(0, 300)) })
  }

  /** The first thing that a decoder found wrong. */
  static fromParseError(error: ParseResult.ParseError): InvalidRequest {
    return InvalidRequest.fromIssue(ParseResult.ArrayFormatter.formatIssueSync(error.issue)[0])
  }
}

/** 507: the disk is full; nothing was changed. */
export class StorageFull extends Data.TaggedError("StorageFull")<{ readonly message: string }> {
  static readonly body = Schema.transform(sentenceBody, Schema.instanceOf(StorageFull), {
    strict: true,
    decode: ({ error }) => new StorageFull({ message: error }),
    encode: ({ message }) => ({ error: message })
  }).annotations(wire(507, "StorageFull"))
}

/** 503: the database cannot be used right now; `message` says why. */
export class StorageUnavailable extends Data.TaggedError("StorageUnavailable")<{
  readonly message: string
  /** Seconds after which another try makes sense, when waiting helps. */
  readonly retryAfter?: number
}> {
  static readonly body = Schema.transform(
    // As with RangeExhausted: without this key is what tells it from ListenersUnavailable.
    Schema.Struct({ error: sentence, unavailable: Schema.optionalWith(Schema.Never, { exact: true }) }),
    Schema.instanceOf(StorageUnavailable),
    {
      strict: true,
      decode: ({ error }) => new StorageUnavailable({ message: error }),
      encode: ({ message }) => ({ error: message })
    }
  ).annotations(wire(503, "StorageUnavailable"))
}

/** Said, as {@link StorageUnavailable}, by a server that listens and has not opened its database yet. */
export const stillStarting = "port-server is starting, try again"

/** Said, as {@link StorageUnavailable}, by a server that finishes the requests in flight and takes no more. */
export const stopping = "port-server is stopping"

/** What a program that asks for storage can meet and a person can mend. */
export type StorageError = StorageFull | StorageUnavailable
