import { spawnSync } from "node:child_process"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { bin, type Ended, start, temporaryFolder } from "./Programs.ts"

/** Why there can be no network namespaces here, if there cannot. */
export const noNamespaces: string | undefined =
  process.platform === "linux" && spawnSync("unshare", ["-n", "busybox", "ip", "link", "set", "lo", "up"]).status === 0
    ? undefined
    : "it needs root, unshare and busybox"

/**
 * Run a script of bash in a network of its own, in which the default port is free. `$portctl` and `$server` are the
 * programs, `as_other` runs a command as another user, and `$other` is that user's home.
 */
export const inOwnNetwork = (script: string): Effect.Effect<Ended & { readonly folder: string }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const whole = `busybox ip link set lo up
chmod 755 . && mkdir other && chown 65534 other && other=$PWD/other
as_other() { setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$other" "$@"; }
as_sudo() { SUDO_UID=65534 SUDO_USER=nobody "$@"; }
trap 'as_other "$portctl" stop > stopped 2>&1; "$portctl" stop > stopped 2>&1' EXIT
${script}`
    const running = yield* start("unshare", ["-n", "bash", "-c", whole], {
      cwd: folder,
      env: { HOME: folder, portctl: bin.portctl, server: bin.portServer }
    })
    return { ...(yield* running.ended), folder }
  })
