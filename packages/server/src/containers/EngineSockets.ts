import { createHash } from "node:crypto"
import { readFile, stat } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import { anyEngine, noEngine } from "@port-server/domain/EngineChoice"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

/** The user's home and its folder of sockets, where there are any. */
const folders = () => {
  try {
    return { home: homedir(), run: process.env["XDG_RUNTIME_DIR"] || `/run/user/${process.getuid?.() ?? 0}` }
  } catch {
    return undefined
  }
}

/** Where engines have their sockets; the first that answers is the machine's. */
const usualSockets = (): ReadonlyArray<string> => {
  const found = folders()
  const own =
    found === undefined
      ? []
      : [
          join(found.run, "docker.sock"),
          ...[".docker/run", ".docker/desktop", ".colima/default", ".orbstack/run", ".rd"].map((folder) =>
            join(found.home, folder, "docker.sock")
          ),
          join(found.run, "podman/podman.sock")
        ]
  return ["/var/run/docker.sock", ...own, "/run/podman/podman.sock"]
}

const prefix = "unix://"

/** The path of a socket on this machine; `tcp://` and `ssh://` lead to others. */
const socketOf = (url: unknown): string | undefined =>
  typeof url === "string" && url.startsWith(prefix) ? url.slice(prefix.length) : undefined

const member = (value: unknown, ...[name, ...others]: ReadonlyArray<string>): unknown => {
  if (name === undefined) return value
  return Predicate.hasProperty(value, name) ? member(value[name], ...others) : undefined
}

const read = async (file: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(file, "utf8"))
  } catch {
    return undefined
  }
}

/** The socket of a Docker context, by default the current one of the user's configuration. */
const contextSocket = async (given: string | undefined): Promise<string | undefined> => {
  const folder = process.env["DOCKER_CONFIG"] || join(folders()?.home ?? "/", ".docker")
  const name = given ?? member(await read(join(folder, "config.json")), "currentContext")
  if (typeof name !== "string" || name === "default") return undefined
  const digest = createHash("sha256").update(name).digest("hex")
  return socketOf(member(await read(join(folder, "contexts/meta", digest, "meta.json")), "Endpoints", "docker", "Host"))
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isSocket(),
    () => false
  )

const existing = async (context: string | undefined): Promise<ReadonlyArray<string>> => {
  const first = await contextSocket(context)
  const all = [...new Set([...(first === undefined ? [] : [first]), ...usualSockets()])]
  const there = await Promise.all(all.map(isThere))
  return all.filter((_, index) => there[index])
}

/**
 * The sockets to try, in their order.
 *
 * @param choice an `EngineChoice`; a context comes before the usual places, and an URL is the only one
 */
export const make = (choice: string): Effect.Effect<ReadonlyArray<string>> => {
  const chosen = socketOf(choice)
  if (choice === noEngine) return Effect.succeed([])
  if (chosen !== undefined) return Effect.succeed([chosen])
  let pending: Promise<ReadonlyArray<string>> | undefined
  return Effect.promise(() => {
    // A disk that does not respond holds up one look only.
    pending ??= existing(choice === anyEngine ? undefined : choice).finally(() => {
      pending = undefined
    })
    return pending
  })
}
