import * as Schema from "effect/Schema"
import { firstDuplicate } from "./FirstDuplicate.ts"
import { maxNameLength } from "./Name.ts"
import { isIntegerBetween } from "./Port.ts"

/** Most ports of one block, and of one `ensure`. */
export const maxPorts = 256

const integer = (field: "size" | "align", last: number, description: string, example: number) =>
  Schema.Number.pipe(
    Schema.filter(isIntegerBetween(1, last)),
    Schema.annotations({
      jsonSchema: { type: "integer", minimum: 1, maximum: last, description, examples: [example] },
      message: () => ({ message: `${field} must be an integer from 1 to ${last}`, override: true })
    })
  )

/** How many consecutive ports a service has. */
export const BlockSize = integer(
  "size",
  maxPorts,
  "how many consecutive ports the service has: workers, workers+1, workers+2, ...",
  8
)

/** What makes a service a block: how many consecutive ports it has, and of what the first one is a multiple. */
export const blockFields = {
  size: Schema.optionalWith(BlockSize, { exact: true }),
  align: Schema.optionalWith(
    integer("align", 65535, "the first port is a multiple of this, where it is chosen and not preferred", 10),
    { exact: true }
  )
}

/** How many consecutive ports, and of what the first one is a multiple. */
export interface Block {
  readonly size?: number | undefined
  readonly align?: number | undefined
}

/** The names of a block's allocations, in the order of their ports: `workers`, `workers+1`, `workers+2`. */
export const namesOf = (service: string, { size = 1 }: Block = {}): ReadonlyArray<string> =>
  Array.from({ length: size }, (_, index) => (index === 0 ? service : `${service}+${index}`))

/** The service of whose block a name would be a further port, `workers` of `workers+1`; itself where it is none. */
export const headOf = (name: string): string => name.replace(/\+\d+$/, "")

/** The ports of a block, from its first one on. */
export const portsFrom = (first: number, { size = 1 }: Block): ReadonlyArray<number> =>
  Array.from({ length: size }, (_, index) => first + index)

/** Which name or wanted port is there twice among services and the ports of their blocks, as a sentence; if one is. */
export const askedTwice = (
  services: ReadonlyArray<Block & { readonly service: string; readonly port?: number | undefined }>
): string | undefined => {
  const name = firstDuplicate(services.flatMap(({ service, ...block }) => namesOf(service, block)))
  if (name !== undefined) return `service ${JSON.stringify(name)} is asked for twice`
  const port = firstDuplicate(services.flatMap(({ port, ...block }) => (port ? portsFrom(port, block) : [])))
  return port === undefined ? undefined : `port ${port} is asked for twice`
}

/** What is wrong with a block whose first port is given or preferred, if anything. */
export const blockProblem = (
  service: string,
  { align = 1, size = 1 }: Block,
  { port, prefer }: { readonly port?: number | undefined; readonly prefer?: number | undefined }
): string | undefined => {
  const [first, field] = port ? [port, "port"] : [prefer ?? 0, "prefer"]
  if (first + size - 1 > 65535) return `${field} ${first} leaves no room for ${size} ports below 65536`
  if (first % align !== 0) return `${field} ${first} is not a multiple of align, ${align}`
  const rest = maxNameLength - `+${size - 1}`.length
  return size > 1 && [...service].length > rest
    ? `service must be at most ${rest} characters long for a block of ${size} ports`
    : undefined
}
