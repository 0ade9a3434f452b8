import { portsFrom } from "@port-server/domain/Block"
import { projectFileName } from "@port-server/domain/Defaults"
import { socketsOf } from "@port-server/domain/ListenerSockets"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ownerAndId } from "../output/AllocationTable.ts"
import { reserves } from "../output/ContainerFormat.ts"
import { holds } from "../output/ListenerFormat.ts"
import type { lookAt, PortHolder } from "./PortHolders.ts"
import { type Published, rangeText, type Wanted } from "./PublishedPorts.ts"

const PortText = Schema.NullOr(Schema.Union(Schema.Int, Schema.String))

/** A port of a Compose service: in the file and in this working copy; a range is text, and a random port is null. */
export const PlannedPort = Schema.Struct({
  service: Schema.String,
  target: Schema.Int,
  protocol: Schema.String,
  file: PortText,
  port: PortText,
  reason: Schema.optionalWith(Schema.String, { exact: true })
})
/** A port of a Compose service: in the file and in this working copy. */
export type PlannedPort = typeof PlannedPort.Type

/** The names in the registry that stand already for something of the working copy, and those of its other projects. */
export interface KnownNames {
  readonly held: ReadonlySet<string>
  readonly others: ReadonlySet<string>
  /** What goes before a name that another Compose project of the working copy has. */
  readonly prefix: string
}

/** The service of the registry for each of the wanted ports: `db`, or `db-5432` where a service publishes several. */
export const servicesOf = (
  wanted: ReadonlyArray<Wanted>,
  { held, others, prefix }: KnownNames
): ReadonlyMap<Wanted, string> => {
  const names = new Map<Wanted, string>()
  const taken = new Set<string>()
  for (const each of wanted) {
    const siblings = wanted.filter(({ service }) => service === each.service)
    const targeted = `${each.service}-${each.target}`
    const plain = siblings[0] === each ? [each.service] : []
    const possible = siblings.length === 1 ? [...plain, targeted] : [targeted, ...plain]
    const own = (name: string) => (others.has(name) ? `${prefix}-${name}` : name)
    const free = possible.map(own).filter((name) => !taken.has(name))
    // What it was called when the service published more or less stays.
    const found = free.find((name) => held.has(name)) ?? free[0]
    let name = found ?? own(targeted)
    for (let number = 2; taken.has(name); number++) name = `${own(targeted)}-${number}`
    taken.add(name)
    names.set(each, name)
  }
  return names
}

/** Who has a port of this machine: its holder, and what listens on it, or needs it to start. */
const whoseIs = (status: PortHolder): string | undefined => {
  const { holder, port, reserved } = status
  const [first] = socketsOf(status)
  const place = holder === undefined ? `port ${port}` : "it"
  const parts = [
    ...(holder === undefined ? [] : [`port ${port} is allocated to ${ownerAndId(holder)}`]),
    ...(first === undefined ? [] : [holds({ first }, place)]),
    ...(first !== undefined || reserved === undefined ? [] : [reserves(reserved, place)])
  ]
  return parts.length === 0 ? undefined : parts.join(", and ")
}

const numberOf = (text: string): number | string => (/^\d+$/.test(text) ? Number(text) : text)

/** The ports of a plan. */
export interface Ports {
  /** The first port here of what is wanted. */
  readonly firsts: ReadonlyMap<Wanted, number>
  /** The first port that the project file prefers in place of that of the Compose file. */
  readonly preferred: ReadonlyMap<Wanted, number>
  readonly holderOf: Effect.Effect.Success<ReturnType<typeof lookAt>>
}

/** Why a service does not have its ports of the file. */
const reasonFor = Effect.fnUntraced(function* (wanted: Wanted, { firsts, holderOf, preferred }: Ports) {
  const { size } = wanted
  const prefer = preferred.get(wanted)
  if (prefer !== undefined && prefer === firsts.get(wanted)) return `${projectFileName} prefers it`
  const wished = portsFrom(prefer ?? wanted.first, { size })
  for (const port of wished) {
    const reason = whoseIs(yield* holderOf(port))
    if (reason !== undefined) return reason
  }
  for (const [other, first] of firsts) {
    const isTaken = other !== wanted && wished.some((port) => port >= first && port < first + other.size)
    if (isTaken) return `${other.service} has ${rangeText(first, other.size)} here`
  }
  return "this working copy has had it before"
})

/** The ports of a model as they are here, and why some are not those of the file. */
export const planOf = Effect.fnUntraced(function* (published: ReadonlyArray<Published>, ports: Ports) {
  const { firsts } = ports
  const differing = [...firsts].flatMap(([wanted, first]) => (first === wanted.first ? [] : [wanted]))
  const reasons = new Map(
    yield* Effect.forEach(
      differing,
      (wanted) => Effect.map(reasonFor(wanted, ports), (reason) => [wanted, reason] as const),
      { concurrency: 4 }
    )
  )
  return published.map(({ mapped, port: { protocol = "tcp", published: text = "", target }, service }): PlannedPort => {
    const row = { service, target, protocol, file: text === "" ? null : numberOf(text) }
    if (typeof mapped === "string") return { ...row, port: row.file, reason: mapped }
    const { count, offset, wanted } = mapped
    const port = numberOf(rangeText((firsts.get(wanted) ?? wanted.first) + offset, count))
    const several = port === row.file ? undefined : `there are ${count} containers`
    const reason = reasons.get(wanted) ?? several
    return { ...row, port, ...(reason === undefined ? {} : { reason }) }
  })
})
