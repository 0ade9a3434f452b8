import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inOwnNetwork, noNamespaces } from "../../support/Networks.ts"

const note = (folder: string) =>
  `note: how port-server was started is not kept for the next start: this is a sandbox with a network of its own, and ${folder}/.port_server/config.json is for the servers outside (portctl config set writes it all the same)\n`

/**
 * In the script of a network of its own, which stands for the host: run in one more, whose processes come from the host
 * (`inner`), or see nothing of the host's (`apart`), as in a container.
 */
const sandboxes = `
inner() { unshare -n sh -c 'busybox ip link set lo up; exec "$@"' sh "$@"; }
apart() { unshare -n -m -p --fork --mount-proc sh -c 'busybox ip link set lo up; "$@"' sh "$@"; }
config=.port_server/config.json
shown() { echo "$1:"; cat "$config" 2> /dev/null || echo none; }
database() { "$portctl" status --json | grep -o '"database":"[^"]*"'; }`

describe.skipIf(noNamespaces !== undefined)("how a server in a sandbox was started, in the home of the host", () => {
  it.scopedLive("is not kept, whether a variable or a flag said it: the host's server starts as ever", () =>
    Effect.gen(function* () {
      const { folder, ...ended } = yield* inOwnNetwork(`${sandboxes}
export PORT_SERVER_DB=own.db
inner sh -c '"$portctl" start
"$portctl" ensure --app a --instance b --service web
"$portctl" restart --range 4000-4999
"$portctl" stop' > sandbox
unset PORT_SERVER_DB
shown sandbox
"$portctl" start > started && database`)
      expect(ended.stdout).toBe(`sandbox:\nnone\n"database":"${folder}/.port_server/ports.db"\n`)
      expect(ended.stderr).toBe(note(folder).repeat(2))
    })
  )

  it.scopedLive("is not kept either where only the host's server, by its socket, tells that there is a host", () =>
    Effect.gen(function* () {
      const { folder, ...ended } = yield* inOwnNetwork(`${sandboxes}
"$portctl" start --db team.db --range 4000-4999 > started
cp "$config" before
apart env PORT_SERVER_DB=own.db sh -c '"$portctl" start; "$portctl" stop' > sandbox
cmp "$config" before && grep -o 'database [^,]*' sandbox
"$portctl" restart > restarted && database`)
      expect(ended.stderr).toBe(note(folder))
      expect(ended.stdout).toBe(`database ${folder}/own.db\n"database":"${folder}/team.db"\n`)
    })
  )

  it.scopedLive("is kept in a container that has a home of its own", () =>
    Effect.gen(function* () {
      const ended = yield* inOwnNetwork(`${sandboxes}
mkdir home && HOME=$PWD/home
config=home/.port_server/config.json
inner sh -c 'PORT_SERVER_DB=own.db "$portctl" start; "$portctl" stop; "$portctl" start; "$portctl" stop' > sandbox
grep -c own.db "$config"
grep -c 'database [^,]*/own.db' sandbox`)
      expect(ended).toMatchObject({ stdout: "1\n2\n", stderr: "" })
    })
  )
})
