import type { ChildProcess } from "node:child_process"
import * as Effect from "effect/Effect"
import openUrl from "open"

/** How long an opener may take to say that it cannot; many stay for as long as the browser does. */
const patience = "3 seconds"

const ended = (opener: ChildProcess): Effect.Effect<boolean> =>
  Effect.async<boolean>((resume) => {
    const { exitCode, signalCode } = opener
    if (exitCode !== null || signalCode !== null) return resume(Effect.succeed(exitCode === 0))
    opener.once("exit", (status) => resume(Effect.succeed(status === 0)))
    opener.once("error", () => resume(Effect.succeed(false)))
  })

/**
 * Whether a browser could show itself. Without a display xdg-open takes one for terminals, which ends at once as if all
 * were well. Under WSL it is the browser of Windows, and who sets BROWSER knows better.
 */
const hasDisplay = Effect.sync(() => {
  const { BROWSER, DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = process.env
  return process.platform !== "linux" || Boolean(DISPLAY || WAYLAND_DISPLAY || BROWSER || WSL_DISTRO_NAME)
})

/** Open a URL in the user's browser; whether there was one to do it. */
export const open = (url: string): Effect.Effect<boolean> =>
  Effect.if(hasDisplay, { onTrue: () => openInBrowser(url), onFalse: () => Effect.succeed(false) })

const openInBrowser = (url: string): Effect.Effect<boolean> =>
  Effect.tryPromise(() => openUrl(url)).pipe(
    Effect.flatMap((opener) =>
      Effect.timeoutTo(ended(opener), { duration: patience, onSuccess: (done) => done, onTimeout: () => true })
    ),
    Effect.orElseSucceed(() => false)
  )
