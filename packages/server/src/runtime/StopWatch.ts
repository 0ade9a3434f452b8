/** What the thread gets. */
export interface Input {
  /** 1 once the main thread has begun to stop. */
  readonly began: Int32Array
  /** How long a stop may take then, in ms. */
  readonly deadline: number
}

/**
 * The program of the thread. It is passed to it as text, so it must use nothing from outside its own body.
 *
 * A signal that the main thread has not taken yet is pending for the process: a thread that waits in the kernel for a
 * file takes none, and the kernel gives it to no other thread.
 */
const watchStop = (): void => {
  const { readFileSync } = process.getBuiltinModule("node:fs")
  const { workerData } = process.getBuiltinModule("node:worker_threads")
  const { began, deadline }: Input = workerData
  /** SIGHUP, SIGINT and SIGTERM. */
  const stopSignals = (process.env["PORT_SERVER_NOHUP"] === "1" ? 0n : 1n) | 2n | (1n << 14n)
  /** How often to look, in ms. */
  const interval = 500

  const isPending = () => {
    const [, mask = "0"] = /^ShdPnd:\t(\w+)$/m.exec(readFileSync("/proc/self/status", "latin1")) ?? []
    return (BigInt(`0x${mask}`) & stopSignals) !== 0n
  }

  let asked: number | undefined
  for (;;) {
    const isStopping = Atomics.load(began, 0) === 1
    // Another signal can make another thread take the first one: it counts as long as nothing has begun.
    if (asked === undefined && (isStopping || isPending())) asked = performance.now()
    if (asked !== undefined) {
      // One that was pending has been so for up to an interval, and is seen a little late.
      const limit = isStopping ? deadline : deadline - interval - 200
      if (performance.now() - asked >= limit) process.kill(process.pid, "SIGKILL")
    }
    Atomics.wait(began, 0, isStopping ? 1 : 0, asked === undefined ? interval : 100)
  }
}

/** The text of {@link watchStop}, called. */
export const source = `(${watchStop})()`
