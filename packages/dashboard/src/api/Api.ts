import type {
  Allocation,
  Containers,
  HistoryEvent,
  ListeningPort,
  ServerInfo,
  Stale,
  WorkingCopyInfo
} from "../model/Types.ts"

/** How long a response may take, in ms. */
const patience = 15_000

/** An error of the server, with its sentence. */
class ApiError extends Error {}

const sentenceOf = (body: unknown): string =>
  typeof body === "object" && body !== null && "error" in body && typeof body.error === "string"
    ? body.error
    : "port-server gave a response without a reason"

const request = async <A>(method: string, path: string, body?: unknown): Promise<A> => {
  const response = await fetch(path, {
    method,
    signal: AbortSignal.timeout(patience),
    headers: { "Port-Server-Client": '{"command":"dashboard"}' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const json = await response.json()
  if (!response.ok) throw new ApiError(sentenceOf(json))
  return json
}

/** The allocations, by id. */
export const allocations = () => request<ReadonlyArray<Allocation>>("GET", "/v1/allocations")

/** The ports that sockets of this machine hold. */
export const listeners = () => request<ReadonlyArray<ListeningPort>>("GET", "/v1/listeners")

/** The allocations whose folder is not known to be there. Nothing is released. */
export const stale = () => request<Stale>("POST", "/v1/prune", { dry_run: true })

/** The working copies and their branches. */
export const workingCopies = () => request<ReadonlyArray<WorkingCopyInfo>>("GET", "/v1/working-copies")

/** The container engine and its containers, also stopped ones. */
export const containers = () => request<Containers>("GET", "/v1/containers")

/** What the server says about itself. */
export const server = () => request<ServerInfo>("GET", "/v1/server")

/** How many events are asked for at a time. */
export const eventPage = 100

/** The newest events, before one where it is given; newest last. */
export const events = (before?: number) =>
  request<ReadonlyArray<HistoryEvent>>(
    "GET",
    `/v1/events?limit=${eventPage}${before === undefined ? "" : `&before=${before}`}`
  )

/** An allocation with what the list of them does not say of it. */
export interface Restorable extends Allocation {
  /** Whether a project file has named its service. */
  readonly named?: true
}

/** What it takes to allocate it again once it is released. */
export const restorable = async (allocation: Allocation): Promise<Restorable> => {
  const named = await request<ReadonlyArray<Allocation>>("GET", `/v1/allocations?named=true&port=${allocation.port}`)
  return named.some(({ id }) => id === allocation.id) ? { ...allocation, named: true } : allocation
}

/** Release an allocation. */
export const release = ({ id }: Allocation) => request<unknown>("DELETE", `/v1/allocations/${id}`)

/** Allocate what was released: the same port to the same owner, as of the same time. */
export const restore = ({ id: _, ...allocation }: Restorable) =>
  request<unknown>("POST", "/v1/import", { version: 1, allocations: [allocation] })

/** The message of whatever went wrong. */
export const messageOf = (error: unknown): string =>
  error instanceof ApiError ? error.message : "port-server does not answer"
