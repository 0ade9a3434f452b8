import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { FolderState, Hanging } from "./FolderState.ts"
import { patience, source } from "./ProbeScript.ts"

/** How long a reply may take, in ms, before the process itself counts as stuck. */
const replyTimeout = 4 * patience

/** How long the process is kept without a request, in ms. */
const idleTime = 10_000

/** Threads of the process: a few file systems can hang and others still respond. */
const threads = "16"

/** The state of a folder, or that its file system hangs. */
export const ProbeResult = Schema.Union(FolderState, Hanging)
/** The state of a folder, or that its file system hangs. */
export type ProbeResult = typeof ProbeResult.Type

/** Gets the results of a request, of the first paths at least; `undefined` when the process has ended. */
type OnReply = (results: ReadonlyArray<ProbeResult> | undefined) => void

const decodeReply = Schema.decodeUnknownOption(Schema.Struct({ id: Schema.String, states: Schema.Array(ProbeResult) }))

/** The Node that runs this. Where its file was removed meanwhile, as by a version manager, Linux still has it. */
const node = (): string =>
  process.platform !== "linux" || existsSync(process.execPath) ? process.execPath : "/proc/self/exe"

const start = (): ChildProcess => {
  const child = spawn(node(), ["-e", source], {
    argv0: process.execPath,
    cwd: "/",
    env: { ...process.env, UV_THREADPOOL_SIZE: threads },
    stdio: ["ignore", "ignore", "ignore", "ipc"]
  })
  child.unref()
  child.channel?.unref()
  return child
}

/**
 * A child process that probes folders. A thread that waits for a dead file system cannot be given up, and even holds up
 * the exit of its process; a child can be killed and left behind.
 */
export class ProbeProcess {
  readonly #child: ChildProcess
  readonly #pending = new Map<string, { readonly onReply: OnReply; readonly timer: NodeJS.Timeout }>()
  #idle: NodeJS.Timeout | undefined
  #lastId = 0
  #isUsable = true

  /** Starts the process; `onExit` is called once the system has ended it, which a hanging mount can delay. */
  constructor(onExit: () => void) {
    this.#child = start()
    // Without a pid it could not be started, and "exit" never comes.
    this.#child.on("error", () => {
      this.kill()
      if (this.#child.pid === undefined) onExit()
    })
    this.#child.on("exit", () => {
      this.kill()
      onExit()
    })
    this.#child.on("message", (message) => this.#receive(message))
  }

  /** Whether it takes requests. */
  get isUsable(): boolean {
    return this.#isUsable
  }

  /** Probe folders. `onReply` is called exactly once. */
  request(paths: ReadonlyArray<string>, onReply: OnReply): void {
    // One that could not be started for want of descriptors has no channel at all.
    if (!this.#isUsable || !this.#child.connected) {
      this.#isUsable = false
      onReply(undefined)
      return
    }
    clearTimeout(this.#idle)
    const id = String(++this.#lastId)
    this.#pending.set(id, { onReply, timer: setTimeout(() => this.kill(), replyTimeout).unref() })
    this.#child.send([id, ...paths].join("\0"), (error) => {
      if (error !== null) this.kill()
    })
  }

  /** End it; requests without a reply get `undefined`. Does not wait for its exit. */
  kill(): void {
    this.#isUsable = false
    clearTimeout(this.#idle)
    this.#child.kill("SIGKILL")
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { onReply, timer } of pending) {
      clearTimeout(timer)
      onReply(undefined)
    }
  }

  #receive(message: unknown): void {
    const reply = Option.getOrUndefined(decodeReply(message))
    const request = this.#pending.get(reply?.id ?? "")
    if (reply === undefined || request === undefined) return
    this.#pending.delete(reply.id)
    clearTimeout(request.timer)
    if (this.#pending.size === 0) this.#idle = setTimeout(() => this.kill(), idleTime).unref()
    request.onReply(reply.states)
  }
}
