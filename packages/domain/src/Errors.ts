import * as Data from "effect/Data"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { Allocation } from "./Allocation.ts"
import type { Block } from "./Block.ts"
import { sentence, sentenceBody, wire } from "./ErrorBody.ts"
import { escapeControls } from "./Name.ts"
import type { PortRange } from "./Port.ts"

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

/** 404: no allocation has the id. */
export class AllocationNotFound extends Data.TaggedError("AllocationNotFound") {
  override get message() {
    return "allocation not found" as const
  }

  static readonly body = Schema.transform(
    Schema.Struct({ error: Schema.Literal("allocation not found") }),
    Schema.instanceOf(AllocationNotFound),
    {
      strict: true,
      decode: () => new AllocationNotFound(),
      encode: ({ message }) => ({ error: message })
    }
  ).annotations(wire(404, "AllocationNotFound"))
}

/** 409: the port that was asked for belongs to `holder`. */
export class PortTaken extends Data.TaggedError("PortTaken")<{ readonly holder: Allocation }> {
  override get message(): string {
    return "port already allocated"
  }

  static readonly body = Schema.transform(
    Schema.Struct({ error: sentence, holder: Allocation }),
    Schema.instanceOf(PortTaken),
    {
      strict: true,
      decode: ({ holder }) => new PortTaken({ holder }),
      encode: ({ holder, message }) => ({ error: message, holder })
    }
  ).annotations(wire(409, "PortTaken"))
}

/** 409: the instance belongs to another folder, and sharing it was not asked for. */
export class InstanceTaken extends Data.TaggedError("InstanceTaken")<{
  readonly app: string
  readonly instance: string
  readonly folder: string
}> {
  override get message(): string {
    return escapeControls(`${this.app}/${this.instance} belongs to ${this.folder}`)
  }

  static readonly body = Schema.transform(
    Schema.Struct({ error: sentence, app: Schema.String, instance: Schema.String, folder: Schema.String }),
    Schema.instanceOf(InstanceTaken),
    {
      strict: true,
      decode: ({ app, folder, instance }) => new InstanceTaken({ app, instance, folder }),
      encode: ({ app, folder, instance, message }) => ({ error: message, app, instance, folder })
    }
  ).annotations(wire(409, "InstanceTaken"))
}

/** 409: a port of the range was asked for and every one is allocated. */
export class RangeExhausted extends Data.TaggedError("RangeExhausted")<{ readonly message: string }> {
  static of(range: PortRange, { align = 1, size = 1 }: Block = {}): RangeExhausted {
    const ports = size === 1 ? "ports" : `block of ${size} ports`
    const aligned = align === 1 ? "" : ` that begins at a multiple of ${align}`
    return new RangeExhausted({ message: `no free ${ports} in range ${range}${aligned}` })
  }

  static readonly body = Schema.transform(
    // The client picks an error by status, then by shape: PortTaken has a holder, and InstanceTaken a folder.
    Schema.Struct({
      error: sentence,
      holder: Schema.optionalWith(Schema.Never, { exact: true }),
      folder: Schema.optionalWith(Schema.Never, { exact: true })
    }),
    Schema.instanceOf(RangeExhausted),
    {
      strict: true,
      decode: ({ error }) => new RangeExhausted({ message: error }),
      encode: ({ message }) => ({ error: message })
    }
  ).annotations(wire(409, "RangeExhausted"))
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

/**
 * 503: what listens on this machine's ports cannot be read right now, so nothing that depends on it was done; `message`
 * is why.
 */
export class ListenersUnavailable extends Data.TaggedError("ListenersUnavailable")<{ readonly message: string }> {
  static of(reason: string): ListenersUnavailable {
    return new ListenersUnavailable({ message: `what listens on this machine's ports cannot be read: ${reason}` })
  }

  static readonly body = Schema.transform(
    // This key is what StorageUnavailable does not have.
    Schema.Struct({ error: sentence, unavailable: Schema.Literal("listeners") }),
    Schema.instanceOf(ListenersUnavailable),
    {
      strict: true,
      decode: ({ error }) => new ListenersUnavailable({ message: error }),
      encode: ({ message }) => ({ error: message, unavailable: "listeners" as const })
    }
  ).annotations(wire(503, "ListenersUnavailable"))
}

/** Said, as {@link StorageUnavailable}, by a server that listens and has not opened its database yet. */
export const stillStarting = "port-server is starting, try again"

/** Said, as {@link StorageUnavailable}, by a server that finishes the requests in flight and takes no more. */
export const stopping = "port-server is stopping"

/** What a program that asks for storage can meet and a person can mend. */
export type StorageError = StorageFull | StorageUnavailable
