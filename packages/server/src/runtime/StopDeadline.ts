/** Longest time for an orderly stop, in ms: more than requests in flight get, less than those who stop it wait. */
const deadline = 4_500

/**
 * End this process some seconds after the first signal to stop, whatever hangs by then. Every response that was sent is
 * durable. By SIGKILL: an exit would wait for threads that hang.
 */
export const install = (): void => {
  const signals = ["SIGINT", "SIGTERM"] as const
  const begin = () => {
    // A second signal ends the process at once.
    for (const signal of signals) process.off(signal, begin)
    setTimeout(() => process.kill(process.pid, "SIGKILL"), deadline).unref()
  }
  for (const signal of signals) process.on(signal, begin)
}
