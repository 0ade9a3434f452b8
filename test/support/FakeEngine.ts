import { createServer } from "node:http"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { temporaryFolder } from "./Programs.ts"

/** A container that a {@link fakeEngine} lists. */
export interface FakeContainer {
  readonly name: string
  readonly port: number
  /** The working folder of its Compose project. */
  readonly folder: string
  readonly isStopped?: boolean
  /** The engine fails where it is asked what the container publishes. */
  readonly isUntold?: boolean
  /** Whether it ended, and is to be started again. */
  readonly isRestarting?: boolean
}

const stateOf = ({ isRestarting = false, isStopped = false }: FakeContainer) =>
  isRestarting ? "restarting" : isStopped ? "exited" : "running"

const listed = (container: FakeContainer) => {
  const { folder, name, port } = container
  const State = stateOf(container)
  return {
    Id: name,
    Names: [`/${name}`],
    Image: "busybox",
    State,
    Labels: { "com.docker.compose.project": name, "com.docker.compose.project.working_dir": folder },
    Ports: State === "running" ? [{ IP: "0.0.0.0", PublicPort: port, Type: "tcp" }] : []
  }
}

/**
 * The API of an engine whose containers are those in the array, at its socket until the end of the scope.
 *
 * @param mood whether it answers at all, which may change
 */
export const fakeEngine = (containers: ReadonlyArray<FakeContainer>, mood = { isSilent: false }) =>
  Effect.gen(function* () {
    const socket = join(yield* temporaryFolder, "engine.sock")
    const server = createServer(({ url = "" }, response) => {
      if (mood.isSilent) return
      const [, name] = /^\/containers\/([^/]+)\/json$/.exec(url) ?? []
      const bindings = Object.fromEntries(
        containers.filter((each) => each.name === name).map(({ port }) => ["80/tcp", [{ HostPort: String(port) }]])
      )
      if (containers.some((each) => each.name === name && each.isUntold)) {
        response.writeHead(500).end()
        return
      }
      const body = name === undefined ? containers.map(listed) : { HostConfig: { PortBindings: bindings } }
      response.setHeader("content-type", "application/json").end(JSON.stringify(body))
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => void server.listen(socket, () => resume(Effect.void))),
      () => Effect.sync(() => server.close().closeAllConnections())
    )
    return `unix://${socket}`
  })
