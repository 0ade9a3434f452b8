import * as Data from "effect/Data"
import * as Schema from "effect/Schema"
import { Allocation } from "./Allocation.ts"
import type { Block } from "./Block.ts"
import { sentence, wire } from "./ErrorBody.ts"
import { escapeControls } from "./Name.ts"
import type { PortRange } from "./PortRange.ts"

export * from "./CommonErrors.ts"

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
