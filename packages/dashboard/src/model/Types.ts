import type { Allocation as AllocationSchema } from "@port-server/domain/Allocation"
import type { Containers as ContainersSchema } from "@port-server/domain/Containers"
import type { RegistryEvent as EventSchema, ListenersChange as ListenersChangeSchema } from "@port-server/domain/Event"
import type { Listener as ListenerSchema, ListeningPort as ListeningPortSchema } from "@port-server/domain/Listener"
import type { PruneResult as PruneResultSchema } from "@port-server/domain/Prune"
import type { ServerInfo as ServerInfoSchema } from "@port-server/domain/ServerInfo"

import type { WorkingCopyInfo as WorkingCopyInfoSchema } from "@port-server/domain/WorkingCopyInfo"

// What the server sends, which the page only reads: the domain's types without its code.

/** An allocation, as JSON. */
export type Allocation = typeof AllocationSchema.Encoded

/** A port that sockets hold, as JSON. */
export type ListeningPort = typeof ListeningPortSchema.Encoded

/** A socket that holds a port, as JSON. */
export type Socket = NonNullable<ListeningPort["listeners"]>[number]

/** The process behind a socket, as JSON. */
export type Listener = typeof ListenerSchema.Encoded

/** A change of the registry, as JSON. */
export type HistoryEvent = typeof EventSchema.Encoded

/** The allocated ports whose sockets are others now, as JSON. */
export type ListenersChange = typeof ListenersChangeSchema.Encoded

/** The allocations whose folder is not known to be there, as JSON. */
export type Stale = typeof PruneResultSchema.Encoded

/** A working copy and its branch, as JSON. */
export type WorkingCopyInfo = typeof WorkingCopyInfoSchema.Encoded

/** The container engine and its containers, as JSON. */
export type Containers = typeof ContainersSchema.Encoded

/** A port that a stopped container publishes, as JSON. */
export type ReservedPort = NonNullable<Containers["reserved"]>[number]

/** What the server says about itself, as JSON. */
export type ServerInfo = typeof ServerInfoSchema.Encoded
