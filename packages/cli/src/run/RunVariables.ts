import { escapeControls } from "@port-server/domain/Name"
import * as Effect from "effect/Effect"
import type { Changes } from "./CommandEnvironment.ts"

/** A variable that a command gets. */
export interface Wanted {
  /** The texts around the ports in it. */
  readonly literals: ReadonlyArray<string>
  readonly value: string
}

/** Environment variables by name. */
type Environment = Readonly<Record<string, string>>

/** The variable that lists, for a run inside of this one, which variables with which values this one set. */
export const runMarker = "PORTCTL_RUN"

/** Whether a text is the number of a port. */
export const isPort = (text: string): boolean => /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65535

/** The variables that an outer run set and nobody changed since: they are not the user's. */
const inheritedFromRun = (env: Environment): ReadonlyMap<string, string> => {
  const pairs = (env[runMarker] ?? "").split(" ").map((pair) => {
    const [name = "", ...value] = pair.split("=")
    return [name, value.join("=").replace(/%(20|25)/g, (_, code: string) => (code === "20" ? " " : "%"))] as const
  })
  return new Map(pairs.filter(([name, value]) => name !== "" && env[name] === value))
}

const markerOf = (pairs: Iterable<readonly [string, string]>): string =>
  [...pairs]
    .map(([name, value]) => `${name}=${value.replace(/[ %]/g, (char) => (char === " " ? "%20" : "%25"))}`)
    .join(" ")

/** The ports that a value has where the wanted one has its own; a number that is none, as 0, is the user's choice. */
const portsIn = (value: string, { literals }: Wanted): ReadonlyArray<number> => {
  const literal = literals.map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
  const [, ...ports] = new RegExp(`^${literal.join("(\\d{1,5})")}$`).exec(value) ?? []
  return ports.filter(isPort).map(Number)
}

/** Whose the ports are that variables have already. */
export interface PortOwners<E, R> {
  /** Whether it is a port of the project that the command is of. */
  readonly isOwn: (port: number) => boolean
  /** The owner of a port that a variable has, where the user may not have chosen it. */
  readonly ownerElsewhere: (port: number, variable: string) => Effect.Effect<string | undefined, E, R>
}

/** The variables of a command, and the lines on them. */
export interface Prepared {
  readonly changes: Changes
  /** What is set, for the one line on it. */
  readonly given: ReadonlyArray<string>
  readonly notes: ReadonlyArray<string>
  /** What the command has as PORT, if anything. */
  readonly port: string | undefined
}

/**
 * What changes in the environment of a command. What the user has set stays, unless its value is somebody
 * else's port, which comes with a folder's set-up and not from the user.
 */
export const prepare = Effect.fnUntraced(function* <E, R>(
  wanted: ReadonlyMap<string, Wanted>,
  env: Environment,
  label: string,
  { isOwn, ownerElsewhere }: PortOwners<E, R>
) {
  const outer = inheritedFromRun(env)
  const ownerOf = Effect.fnUntraced(function* (name: string, ports: ReadonlyArray<number>) {
    for (const port of ports) {
      const owner = yield* ownerElsewhere(port, name)
      if (owner !== undefined) return `the port ${port} of ${owner}`
    }
    return undefined
  })

  const [given, listed, notes]: [Array<readonly [string, string]>, Map<string, string>, Array<string>] = [
    [],
    new Map(outer),
    []
  ]
  for (const [name, variable] of wanted) {
    const { value } = variable
    const present = outer.has(name) ? "" : (env[name] ?? "")
    if (present !== "" && present !== value) {
      const owner = yield* ownerOf(name, portsIn(present, variable))
      const shown = escapeControls(present)
      if (owner === undefined) {
        notes.push(`note: ${name} is set to ${shown} already and stays (${label} has ${value})`)
        continue
      }
      notes.push(`note: ${name} was set to ${shown}, ${owner}, and is replaced`)
    }
    given.push([name, value])
    // What was there with this very value is the user's in a run inside, too.
    if (present !== value) listed.set(name, value)
  }

  // A command listens on PORT: that of another project's service is not for this one.
  const { PORT: port = "" } = env
  const removed = !wanted.has("PORT") && isPort(port) && !isOwn(Number(port))
  const owner = removed && !outer.has("PORT") ? yield* ownerOf("PORT", [Number(port)]) : undefined
  if (owner !== undefined) notes.push(`note: PORT was set to ${port}, ${owner}, and is removed`)
  const isRemoved = removed && (outer.has("PORT") || owner !== undefined)
  if (isRemoved) listed.delete("PORT")

  const changes: Changes = new Map<string, string | undefined>([
    ...(isRemoved ? [["PORT", undefined] as const] : []),
    ...given,
    [runMarker, listed.size === 0 ? undefined : markerOf(listed)]
  ])
  const result: Prepared = {
    changes,
    given: given.map((pair) => pair.join("=")),
    notes,
    port: isRemoved ? undefined : changes.get("PORT") || port || undefined
  }
  return result
})
