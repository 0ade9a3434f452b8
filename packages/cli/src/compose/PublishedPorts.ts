import { maxPorts } from "@port-server/domain/Block"
import { type ComposeModel, replicasOf, type Service, type ServicePort } from "./ComposeModel.ts"

/** Consecutive ports that Compose services publish, which the registry is asked for together; mostly just one. */
export interface Wanted {
  /** The first Compose service that publishes them. */
  readonly service: string
  /** The port in the container that the first of them leads to. */
  readonly target: number
  /** The first number in the file. */
  readonly first: number
  readonly size: number
}

/** A port of a Compose service, as `plan` lists it. */
export interface Published {
  readonly service: string
  readonly port: ServicePort
  /** How many of these, from this one on, are one range of the file; 0 in the midst of one. */
  readonly rangeSize: number
  /** What is wanted for it, and where in that its number is; or else why it is left as it is. */
  readonly mapped: { readonly wanted: Wanted; readonly offset: number; readonly count: number } | string
}

const numbersOf = (published: string): readonly [first: number, count: number] | undefined => {
  const [, first = "", last = first] = /^(\d+)(?:-(\d+))?$/.exec(published) ?? []
  const [from, to] = [Number(first), Number(last)]
  return first !== "" && from >= 1 && to >= from && to <= 65535 ? [from, to - from + 1] : undefined
}

/** Why a port is left as it is in the file, if it is. */
const reasonToKeep = ({ network_mode }: Service, { mode, protocol = "tcp", published }: ServicePort) => {
  if (network_mode === "host") return "network_mode: host: the container's own ports are those of this machine"
  if (published === undefined || published === "" || published === "0") return "the engine chooses it"
  if (mode === "host") return "mode: host: it is left as it is"
  if (protocol !== "tcp" && protocol !== "udp") return `${protocol} is left as it is`
  return undefined
}

/** What of two ports must be equal so that they can be of one range. */
const kindOf = ({ published: _published, target: _target, ...rest }: ServicePort): string => JSON.stringify(rest)

/** The ranges that a text has: `8000-8009`. */
const rangesIn = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/(?<![\w.]|\d-)(\d+)-(\d+)(?!-?\w)/g)].map(([, from, to]) => `${from}-${to}`))

/** How many of a service's ports, from one on, are consecutive like it, in the container too. */
const runLength = (ports: ReadonlyArray<ServicePort>, from: number): number => {
  const start = ports[from]
  if (start === undefined || !/^\d+$/.test(start.published ?? "")) return 1
  let length = 1
  for (; from + length < ports.length; length++) {
    const next = ports[from + length]
    if (next === undefined || kindOf(next) !== kindOf(start) || next.target !== start.target + length) break
    if (next.published !== String(Number(start.published) + length)) break
  }
  return length
}

/**
 * How many ports, from one on, are one range of the file. Compose writes out each of them, so the text decides: it has the
 * range here or in the container, for one of the two may be a variable. Otherwise they are apart, unless they are more than
 * anybody writes out.
 */
const rangeLength = (ports: ReadonlyArray<ServicePort>, from: number, ranges: ReadonlySet<string>): number => {
  const { published = "", target = 0 } = ports[from] ?? {}
  const run = runLength(ports, from)
  for (let length = run; length > 1; length--) {
    if ([Number(published), target].some((first) => ranges.has(rangeText(first, length)))) return length
  }
  return run > maxPorts ? run : 1
}

/** The ports of one service. */
const ofService = (
  name: string,
  service: Service,
  replicas: number,
  ranges: ReadonlySet<string>,
  known: Map<string, Wanted>
): ReadonlyArray<Published> => {
  const { ports = [] } = service
  const result: Array<Published> = []
  for (let index = 0; index < ports.length; ) {
    const port = ports[index]
    if (port === undefined) break
    const reason = reasonToKeep(service, port)
    const [first, count] = numbersOf(port.published ?? "") ?? [0, 0]
    // What is kept is not apart for each container.
    const length = reason !== undefined || replicas === 1 ? rangeLength(ports, index, ranges) : 1
    const size = length > 1 ? length : Math.max(count, replicas)
    // What several publish under one number, with other protocols, addresses or profiles, stays under one.
    const key = `${first}+${size}`
    const wanted = known.get(key) ?? { service: name, target: port.target, first, size }
    const keep =
      reason ?? (count === 0 || size > maxPorts ? `a range of more than ${maxPorts} ports is left as it is` : undefined)
    if (keep === undefined) known.set(key, wanted)
    for (let offset = 0; offset < length; offset++, index++) {
      const each = ports[index]
      if (each === undefined) continue
      const mapped = keep ?? { wanted, offset, count: length > 1 ? 1 : size }
      result.push({ service: name, port: each, rangeSize: offset === 0 ? length : 0, mapped })
    }
  }
  return result
}

/**
 * The ports that a model publishes.
 *
 * @param scales how many containers of a service the command line wants
 * @param text what the Compose files and those for variables say, to tell ranges
 */
export const publishedPorts = (
  { services }: ComposeModel,
  scales: ReadonlyMap<string, number>,
  text: string
): ReadonlyArray<Published> => {
  const known = new Map<string, Wanted>()
  const ranges = rangesIn(text)
  return Object.entries(services).flatMap(([name, service]) =>
    ofService(name, service, Math.max(1, scales.get(name) ?? replicasOf(service)), ranges, known)
  )
}

/** A number or a range, as Compose writes it. */
export const rangeText = (first: number, count: number): string =>
  count === 1 ? String(first) : `${first}-${first + count - 1}`

/** Ports for a person: a range that is left as it is is one. */
export const withRanges = (published: ReadonlyArray<Published>): ReadonlyArray<Published> =>
  published.flatMap((each) => {
    const { mapped, port, rangeSize } = each
    if (typeof mapped !== "string" || rangeSize === 1) return [each]
    const range = rangeText(Number(port.published), rangeSize)
    return rangeSize === 0 ? [] : [{ ...each, port: { ...port, published: range }, rangeSize: 1 }]
  })

/** What is wanted for ports, each once. */
export const wantedOf = (published: ReadonlyArray<Published>): ReadonlyArray<Wanted> => [
  ...new Set(published.flatMap(({ mapped }) => (typeof mapped === "string" ? [] : [mapped.wanted])))
]
