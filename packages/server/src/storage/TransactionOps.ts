import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { Allocation } from "@port-server/domain/Allocation"
import type { ReleaseFilter } from "@port-server/domain/AllocationFilter"
import type { Block } from "@port-server/domain/Block"
import { StorageUnavailable } from "@port-server/domain/Errors"
import type { EventKind } from "@port-server/domain/Event"
import type { PortRange } from "@port-server/domain/PortRange"
import { timestampOf } from "@port-server/domain/Timestamp"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as AllocationInsert from "./AllocationInsert.ts"
import * as Queries from "./AllocationQueries.ts"
import * as Removal from "./AllocationRemoval.ts"
import type { UnreadableRow } from "./AllocationRow.ts"
import * as BulkWrites from "./BulkWrites.ts"
import type { EventLog } from "./EventLog.ts"
import { type FreePorts, firstFree } from "./FreePorts.ts"
import * as Instances from "./InstanceRows.ts"
import type { PortBitSet } from "./PortBitSet.ts"
import * as ProjectFolders from "./ProjectFolders.ts"
import * as WorkingCopies from "./WorkingCopyRows.ts"

type Failure = SqlError | StorageUnavailable

/** The operations of one transaction. */
export interface TransactionOps {
  /** The allocation that holds the port. */
  readonly holder: (port: number) => Effect.Effect<Allocation | undefined, Failure>
  /** Which of the ports are allocated, also in rows that cannot be read. */
  readonly held: (ports: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<number>, SqlError>
  /**
   * The first port, or the first of a block, of the range that is not allocated, was not found busy in this transaction, and
   * is not among the taken, if one is left.
   */
  readonly freePort: (
    range: PortRange,
    taken: PortBitSet | undefined,
    block: Block
  ) => Effect.Effect<number | undefined, SqlError>
  /** A write of this transaction found that something on this machine holds the port: `freePort` skips it until the next. */
  readonly setBusy: (port: number) => void
  /** The allocations that hold any of the ports. */
  readonly holders: (ports: Iterable<number>) => Effect.Effect<ReadonlyArray<Allocation>, Failure>
  /** Allocate the port; nothing if it has a holder. */
  readonly insert: (
    owner: Pick<Allocation, "app" | "instance" | "service" | "path"> & { readonly device?: string | undefined },
    port: number
  ) => Effect.Effect<Allocation | undefined, Failure>
  /** Who holds any of the ports; less work than {@link TransactionOps.holders}. */
  readonly owners: (ports: Iterable<number>) => Effect.Effect<ReadonlyMap<number, BulkWrites.StoredOwner>, SqlError>
  /** Import allocations of ports that have no holder, each as of its time or of now. */
  readonly insertAll: (allocations: ReadonlyArray<BulkWrites.ImportedAllocation>) => Effect.Effect<void, Failure>
  /** Store the project folder of an existing allocation, and the device of the folder's parent. */
  readonly setProjectPath: (
    allocation: Allocation,
    path: string,
    device: string | undefined
  ) => Effect.Effect<Allocation, SqlError>
  /** Remember that a project file names the services of the allocations with these ids. */
  readonly setNamed: (ids: ReadonlyArray<number>) => Effect.Effect<void, SqlError>
  /** The stored devices of the folders of the allocations with these ids. */
  readonly devices: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlyMap<number, string>, SqlError>
  /** What decides about an instance. */
  readonly instances: Instances.InstanceOps
  /** The working copies. */
  readonly workingCopies: WorkingCopies.WorkingCopyOps
  /** The allocations of a folder follow it to another path, once its row has; those of other rows there stay. */
  readonly moveAllocations: (from: string, to: string, device: string | null) => Effect.Effect<void, SqlError>
  /** Release the allocations that match the filter, or have one of the ids; returns how many there were. */
  readonly remove: (
    which: ReleaseFilter | Allocation["id"] | ReadonlyArray<number>,
    kind?: "released" | "pruned"
  ) => Effect.Effect<number, SqlError>
}

/** A row that cannot be read holds a port that is needed. */
export const toUnavailable = ({ message }: UnreadableRow) => new StorageUnavailable({ message })

/** What the writes of a database share. */
export interface Shared {
  readonly freePorts: FreePorts
  readonly events: EventLog
}

/** The operations for one write of a client, which shares its transaction with others. */
export const make = (
  connection: Connection,
  { events, freePorts }: Shared,
  client: string | undefined
): TransactionOps => {
  const record = events.recorder(client)
  let hasWritten = false
  const written = Effect.sync(() => {
    hasWritten = true
  })

  const insert = Effect.fnUntraced(function* (
    owner: Parameters<TransactionOps["insert"]>[0],
    port: number,
    { createdAt, kind = "allocated" }: { readonly createdAt?: string | undefined; readonly kind?: EventKind } = {}
  ) {
    const created_at = createdAt ?? timestampOf(yield* Clock.currentTimeMillis)
    const inserted = yield* AllocationInsert.insert(connection, { ...owner, port, created_at }).pipe(
      Effect.catchTag("UnreadableRow", toUnavailable),
      // Rolls the batch back, with what this write has done so far.
      Effect.catchTag(
        "StorageUnavailable",
        (cause): Effect.Effect<never, Failure> => (hasWritten ? new SqlError({ cause }) : cause)
      )
    )
    if (inserted === undefined) return undefined
    yield* written
    freePorts.hold(port)
    const allocation =
      owner.path === undefined
        ? inserted
        : yield* ProjectFolders.setProjectPath(connection, inserted, owner.path, owner.device)
    yield* record(kind, [allocation])
    return allocation
  })

  return {
    holder: (port) => Effect.catchTag(Queries.holder(connection, port), "UnreadableRow", toUnavailable),

    held: (ports) => Effect.map(freePorts.held(connection), (held) => ports.filter((port) => held.has(port))),

    freePort: (range, taken, block) =>
      Effect.map(freePorts.held(connection), (held) =>
        firstFree(range, [held, ...freePorts.busy, ...(taken === undefined ? [] : [taken])], block)
      ),

    setBusy: (port) => freePorts.setBusy(port),

    holders: (ports) => Effect.catchTag(Queries.holders(connection, ports), "UnreadableRow", toUnavailable),

    insert: (owner, port) => insert(owner, port),

    owners: (ports) => BulkWrites.owners(connection, ports),

    insertAll: Effect.fnUntraced(function* (all) {
      if (yield* AllocationInsert.hasIdsFor(connection, all.length)) {
        yield* written
        return yield* BulkWrites.insertAll(connection, all, (allocations) => {
          for (const { port } of allocations) freePorts.hold(port)
          return record("imported", allocations)
        })
      }
      for (const { created_at, named = false, port, ...owner } of all) {
        const added = yield* insert(owner, port, { createdAt: created_at, kind: "imported" })
        if (named && added !== undefined) yield* ProjectFolders.setNamed(connection, [added.id])
      }
    }),

    setProjectPath: (allocation, path, device) =>
      ProjectFolders.setProjectPath(connection, allocation, path, device).pipe(
        Effect.zipLeft(written),
        Effect.tap((placed) => record("moved", [placed], allocation.path))
      ),

    setNamed: (ids) => Effect.zipRight(written, ProjectFolders.setNamed(connection, ids)),

    devices: (ids) => ProjectFolders.devicesOf(connection, ids),

    instances: Instances.operations(connection),

    workingCopies: WorkingCopies.operations(connection, written),

    moveAllocations: Effect.fnUntraced(function* (from, to, device) {
      const held = yield* Queries.matching(connection, { path: from })
      yield* written
      const ids: ReadonlySet<number> = yield* WorkingCopies.moveAllocations(connection, from, to, device)
      const moved = held.flatMap((allocation) =>
        ids.has(allocation.id) ? [new Allocation({ ...allocation, path: to }, { disableValidation: true })] : []
      )
      yield* record("moved", moved, from)
    }),

    remove: Effect.fnUntraced(function* (which, kind = "released") {
      const ids = yield* Removal.idsOf(connection, which)
      const doomed = yield* Removal.doomed(connection, ids)
      yield* written
      const removed = yield* Removal.remove(connection, ids, (port) => {
        if (typeof port === "number" && Number.isInteger(port)) freePorts.free(port)
      })
      events.skip(removed - doomed.length)
      yield* record(kind, doomed)
      return removed
    })
  }
}
