import { spawnSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { user } from "../../support/Daemon.ts"
import { expectError } from "../../support/Expectations.ts"
import { freePorts } from "../../support/Listening.ts"
import { inOwnNetwork, noNamespaces } from "../../support/Networks.ts"
import { bin, portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { silentSocket } from "../../support/UnixSockets.ts"

const note =
  "note: port-server runs in another network, outside of this sandbox or container: the listeners that it knows are those of the host, not those in here\n"

const ensure = '"$portctl" ensure --app a --instance b'

/** In the script of a network of its own, which stands for the host: run in one more, without any interface or with lo. */
const sandboxes = `
bare() { unshare -n "$@"; }
looped() { unshare -n sh -c 'busybox ip link set lo up; exec "$@"' sh "$@"; }
mkdir shop && cd shop`

describe.skipIf(noNamespaces !== undefined)("in a sandbox without the network of the host", () => {
  it.scopedLive("ensure answers the ports of the host by the socket, notes it once, and starts no server", () =>
    Effect.gen(function* () {
      const ended = yield* inOwnNetwork(`${sandboxes}
${ensure} --service web,db 2> started
before=$("$portctl" status --json)
bare ${ensure} --service web,db,more
looped ${ensure} --service web,db,more
PORTCTL_AUTOSTART=0 bare ${ensure} --service web
eval "$(looped "$portctl" env --app a --instance b --service web 2> /dev/null)"; echo "WEB $WEB_PORT"
looped "$portctl" run --app a --instance b --service web -- sh -c 'echo run $PORT' 2> /dev/null
${ensure} --service web,db,more
[ "$("$portctl" status --json | grep -o '"pid":[0-9]*')" = "$(echo "$before" | grep -o '"pid":[0-9]*')" ] || echo another`)
      const all = "a/b\nweb   3000\ndb    3001\nmore  3002\n"
      expect(ended.stdout).toBe(`a/b\nweb  3000\ndb   3001\n${all}${all}a/b\nweb  3000\nWEB 3000\nrun 3000\n${all}`)
      expect(ended.stderr).toBe(note.repeat(3))
      expect(ended.code).toBe(0)
    })
  )

  it.scopedLive("an address of one's own has no way of itself, and the error says which there is", () =>
    Effect.gen(function* () {
      const ended = yield* inOwnNetwork(`${sandboxes}
"$portctl" config set address 127.0.0.1:4000 > said
${ensure} --service web 2> started
bare ${ensure} --service web; echo "status $?"
PORT_SERVER_ADDR="unix:$HOME/.port_server/ports.db.sock" bare ${ensure} --service web 2> said`)
      expect(ended.stdout).toBe("a/b\nweb  3000\nstatus 69\na/b\nweb  3000\n")
      expect(ended.stderr).toBe(
        "error: there is no connection to 127.0.0.1:4000 (ENETUNREACH); in a sandbox, PORT_SERVER_ADDR=unix:/PATH reaches port-server by its socket\n"
      )
    })
  )

  it.scopedLive("verify claims nothing about ports that the server does not see", () =>
    Effect.gen(function* () {
      const ended = yield* inOwnNetwork(`${sandboxes}
"$portctl" ensure --service web,db > ensured 2>&1
busybox httpd -f -p 127.0.0.1:3000 & listener=$!
until busybox netstat -ltn | grep -q 127.0.0.1:3000; do :; done
"$portctl" verify
bare "$portctl" verify
bare "$portctl" verify --listening; echo "status $?"
bare "$portctl" kill --service web; echo "status $?"
kill $listener || echo "it was ended"`)
      expect(ended.stdout).toMatch(/web +3000 +own/)
      const seen = "SERVICE  PORT  STATE    PROCESS\nweb      3000  unknown  -\ndb       3001  unknown  -\n"
      expect(ended.stdout.endsWith(`${seen}${seen}status 4\nstatus 1\n`), ended.stdout).toBe(true)
      expect(ended.stderr).toContain(note.repeat(2))
      expect(ended.stderr).toMatch(
        /^error: port-server runs in another network and does not see .* port 3000 in here; /m
      )
    })
  )

  it.scopedLive("the commands about the server say what runs, or where it can be stopped", () =>
    Effect.gen(function* () {
      const { folder, ...ended } = yield* inOwnNetwork(`${sandboxes}
"$portctl" start > started
pid=$("$portctl" status --json | sed 's/.*"pid":\\([0-9]*\\).*/\\1/')
for command in health status start stop restart dashboard; do
  echo "== $command"; looped "$portctl" $command 2>&1 | sed "s/$pid/PID/"
done
looped "$portctl" doctor | grep '^\\(ok\\|error\\|warning\\) *\\(server\\|socket\\|database\\)' | sed "s/$pid/PID/"
"$portctl" status --json | grep -q "\\"pid\\":$pid" || echo another`)
      const socket = `unix:${folder}/.port_server/ports.db.sock`
      const outside = `error: the port-server at ${socket} runs outside of this sandbox or container: stop or restart it there\n`
      expect(ended.stderr).toBe("")
      const sections = new Map(
        ended.stdout
          .split("== ")
          .slice(1)
          .map((text) => [text.split("\n", 1)[0], text.slice(text.indexOf("\n") + 1)] as const)
      )
      expect(sections.get("health")).toBe("ok\n")
      expect(sections.get("status")).toMatch(new RegExp(`^pid +PID\\n[^]*address +${socket}\\n`))
      expect(sections.get("start")).toBe(
        `port-server is already running at ${socket} (pid PID), database ${folder}/.port_server/ports.db\n`
      )
      expect(sections.get("stop")).toBe(outside)
      expect(sections.get("restart")).toBe(outside)
      expect(sections.get("dashboard")).toMatch(
        `error: a browser cannot open ${socket}: portctl dashboard opens the page where port-server runs\n`
      )
      expect(sections.get("dashboard")).toMatch(/^ok +server +port-server .* runs at unix:.* \(pid PID, user root\)$/m)
      expect(sections.get("dashboard")).toMatch(/^ok +socket +reached by unix:/m)
      expect(sections.get("dashboard")).toMatch(/^ok +database +.* is where port-server runs, outside/m)
    })
  )

  for (const [what, readOnly, before, file] of [
    ["home", "$HOME", "", "compose"],
    ["folder of names", "$HOME/.port_server/compose", 'mkdir "$HOME/.port_server/compose"', "compose/shop.yaml"]
  ] as const) {
    it.scopedLive(`a read-only ${what} keeps the name of a Compose project from being kept, not from being told`, () =>
      Effect.gen(function* () {
        const { folder, ...ended } = yield* inOwnNetwork(`${sandboxes}
mkdir "$HOME/programs" && cat > "$HOME/programs/docker" <<'X'
#!/bin/sh
case "$*" in
  *"version --short") echo 2.30.0 ;;
  *config*) echo '{"name":"shop","services":{"db":{"ports":[{"target":80,"published":"'"$PUBLISHED"'"}]}}}' ;;
  *) echo "ran $* of $COMPOSE_PROJECT_NAME" ;;
esac
X
chmod +x "$HOME/programs/docker"
export PATH="$HOME/programs:$PATH" PUBLISHED=4000
git init -q && echo 'services: {db: {image: box, ports: ["4000:80"]}}' > compose.yaml
"$portctl" start > started
${before}
within() { unshare -n unshare -m bash -c 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && "$@"' "${readOnly}" "$@"; }
within "$portctl" env; echo "status $?"
within "$portctl" run --quiet -- sh -c 'echo "run $PORT of $COMPOSE_PROJECT_NAME"'; echo "status $?"
echo '{}' | within "$portctl" agents hook cursor | grep -o '"env":{[^}]*}'
within "$portctl" compose up -d; echo "status $?"
PUBLISHED=3000 within "$portctl" compose up -d; echo "status $?"`)
        const cannotWrite = `cannot write "${folder}/.port_server/${file}": its disk is read-only`
        const noted = `${note}note: the name of this Compose project cannot be kept: ${cannotWrite}\n`
        expect(ended.stdout.split("\n")).toEqual([
          ...["# shop/main", "WEB_PORT=3000", "COMPOSE_PROJECT_NAME=shop", "status 0"],
          ...["run 3000 of shop", "status 0"],
          '"env":{"WEB_PORT":"3000","COMPOSE_PROJECT_NAME":"shop"}',
          ...["ran compose up -d of shop", "status 0"],
          // Without an override it would be on another working copy's port.
          ...["status 1", ""]
        ])
        expect(ended.stderr).toBe(`${noted.repeat(3)}${note}error: ${cannotWrite}\n`)
      })
    )
  }

  it.scopedLive("a socket of another user at the default path is not asked", () =>
    Effect.gen(function* () {
      const ended = yield* inOwnNetwork(`${sandboxes}
"$portctl" start > started
chown 65534 "$HOME/.port_server/ports.db.sock"
bare "$portctl" list; echo "status $?"`)
      expect(ended.stdout).toBe("status 1\n")
      expect(ended.stderr).toMatch(/^error: cannot reach port-server at 127\.0\.0\.1:51234 /)
    })
  )

  it.scopedLive("a stale socket is no server: one is started, and takes its place", () =>
    Effect.gen(function* () {
      const ended = yield* inOwnNetwork(`${sandboxes}
"$portctl" start > started
kill -9 "$("$portctl" status --json | sed 's/.*"pid":\\([0-9]*\\).*/\\1/')"
while "$portctl" health > health 2>&1; do :; done
${ensure} --service web
bare ${ensure} --service web`)
      expect(ended.stdout).toBe("a/b\nweb  3000\na/b\nweb  3000\n")
      expect(ended.stderr).toMatch(/^started port-server at 127\.0\.0\.1:51234 \(pid \d+\).*\n/)
      expect(ended.stderr.endsWith(note)).toBe(true)
    })
  )
})

const noMounts = spawnSync("unshare", ["-m", "-p", "--fork", "--mount-proc", "true"]).status !== 0

/** In the script of a user, as of bwrap: a sandbox in which the folder `hidden` is empty, alone or with its own processes. */
const hiding = `
in_sandbox() { unshare -m sh -c 'mount -t tmpfs none "$HOME/hidden"; exec "$@"' sh "$@"; }
in_own_processes() { unshare -m -p --fork --mount-proc sh -c 'mount -t tmpfs none "$HOME/hidden"; "$@"' sh "$@"; }
mkdir -p hidden/shop seen && git init -q hidden/shop && git init -q seen`

describe.skipIf(noMounts)("a server that was started in a sandbox with the network of the host", () => {
  const sandboxed =
    "note: port-server was started in a sandbox and does not see all folders and processes out here; to correct that: portctl restart, outside of sandboxes\n"

  it.scopedLive("the start says so, and each command whose answer is in doubt, until portctl restart", () =>
    Effect.gen(function* () {
      const me = yield* user
      const ended = yield* me.bash(`${hiding}
cd seen; in_sandbox "$portctl" ensure
"$portctl" ensure --quiet
cd ../hidden/shop; say() { echo "== $1" >&2; }
say ensure; "$portctl" ensure > /dev/null
say env; "$portctl" env > /dev/null
say run; "$portctl" run --quiet -- true
node -e 'require("http").createServer().listen(process.argv[1], "127.0.0.1", () => console.log("up"))' \\
  "$("$portctl" get web 2> /dev/null)" > up & listener=$!
until [ -s up ]; do kill -0 $listener || exit; done
say verify; "$portctl" verify > /dev/null
say kill; "$portctl" kill --port "$("$portctl" get web 2> /dev/null)"
say restart; "$portctl" restart > /dev/null
"$portctl" ensure > /dev/null
"$portctl" verify | grep -c own
kill $listener`)
      expect(ended.stdout.split("\n")[1]).toMatch(/^web +\d+$/)
      expect(ended.stdout.endsWith("\n1\n"), ended.stdout).toBe(true)
      const [start = "", ...sections] = ended.stderr.split("== ")
      expect(start).toMatch(
        /^started port-server at .*\nnote: that port-server is in this sandbox and does not see all folders and processes outside; .*\n$/
      )
      const said = new Map(
        sections.map((text) => [text.split("\n", 1)[0] ?? "", text.slice(text.indexOf("\n") + 1)] as const)
      )
      for (const command of ["ensure", "env", "run", "verify"]) expect(said.get(command), command).toBe(sandboxed)
      expect(said.get("kill")).toMatch(new RegExp(`^${sandboxed}error: .* is not ended\n$`))
      expect(said.get("restart")).toBe("")
    })
  )

  it.scopedLive("prune releases nothing of a folder that is there for portctl", () =>
    Effect.gen(function* () {
      const me = yield* user
      const ended = yield* me.bash(`${hiding}
(cd seen; in_sandbox "$portctl" ensure) > ensured 2>&1
mkdir hidden/far hidden/far/deep seen/gone && git init -q seen/gone
for folder in hidden/shop hidden/far/deep seen/gone; do (cd $folder; "$portctl" ensure) > ensured 2>&1; done
rm -r seen/gone
cd seen
"$portctl" prune --dry-run
echo y | "$portctl" prune 2> asked
"$portctl" prune --yes --json
"$portctl" list --json | grep -c '"id"'`)
      const gone = `port \\d+ of gone/main/web \\(id=4\\): ${me.home}/seen/gone is gone\n`
      expect(ended.stdout).toMatch(new RegExp(`^would release ${gone}stale: ${gone}released ${gone}{`))
      expect(ended.stdout).toMatch(/\n{"allocations":\[\],"kept":\[.*"reason":"seen".*"reason":"seen"}]}\n/)
      expect(ended.stdout.endsWith("\n3\n"), ended.stdout).toBe(true)
      const note = `note: 2 allocation(s) belong to folders that are there and that port-server does not see, like ${me.home}/hidden/shop; they are kept: 2, 3\n`
      expect(ended.stderr).toBe(`${note}${sandboxed}`.repeat(2))
    })
  )

  it.scopedLive("one with processes of its own is found, too", () =>
    Effect.gen(function* () {
      const me = yield* user
      const ended = yield* me.bash(`${hiding}
mkfifo up stop
(cd seen; in_own_processes bash -c '"$portctl" start > /dev/null; echo > "$HOME/up"; read < "$HOME/stop"') & read < up
(cd hidden/shop; "$portctl" ensure > /dev/null)
echo > stop; wait`)
      expect(ended.stderr).toBe(sandboxed)
    })
  )

  it.scopedLive("nothing is said in a sandbox of a server outside", () =>
    Effect.gen(function* () {
      const me = yield* user
      const ended = yield* me.bash(`${hiding}
cd seen; "$portctl" start > /dev/null
for sandbox in in_sandbox in_own_processes; do
  $sandbox sh -c 'mkdir "$HOME/hidden/own"; cd "$HOME/hidden/own"; "$portctl" ensure; "$portctl" verify; "$portctl" doctor' |
    grep -cE '^web|^ok *server'
done`)
      expect(ended.stdout).toBe("3\n3\n")
      expect(ended.stderr).toBe("")
    })
  )
})

describe.concurrent("PORT_SERVER_ADDR=unix:/PATH", () => {
  const at = (path: string, args: string, cwd?: string) =>
    portctl(args.split(" "), { env: { PORT_SERVER_ADDR: path }, ...(cwd === undefined ? {} : { cwd }) })

  it.scopedLive.each(["unix:", "unix://"])("is the address of a socket (%s)", (scheme) =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const path = `${scheme}${server.database}.sock`
      expect(yield* at(path, "ensure --app a --instance b --service web")).toMatchObject({
        code: 0,
        stdout: "a/b\nweb  3000\n",
        stderr: ""
      })
      expect((yield* at(path, "list")).stdout).toMatch(/3000/)
      const status = yield* at(path, "status")
      expect(status.stdout).toContain(`address      unix:${server.database}.sock\n`)
      const followed = yield* start(bin.portctl, ["log", "--follow"], { env: { PORT_SERVER_ADDR: path } })
      yield* followed.printed(/allocated {2}3000/)
      yield* at(path, "release --app a")
      yield* followed.printed(/released {3}3000/)
    })
  )

  it.scopedLive("is one sentence where nothing is there, and where a server would have to be started", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = `unix:${join(folder, "none.sock")}`
      expect(yield* at(path, "status")).toMatchObject({ code: 3, stdout: `port-server is not running at ${path}\n` })
      const ended = yield* at(path, "ensure --app a --instance b --service web")
      expect(ended).toMatchObject({
        code: 69,
        stdout: "",
        stderr: `error: cannot reach port-server at ${path} (is it running, and is the socket of the running one mounted here?)\n`
      })
      for (const command of ["start", "stop", "restart", "service install --dry-run"]) {
        const { code, stderr } = yield* at(path, command)
        expect(stderr, command).toBe(
          `error: PORT_SERVER_ADDR is ${path}, a socket: only a server at 127.0.0.1 or localhost can be started and stopped\n`
        )
        expect(code, command).toBe(1)
      }
    })
  )

  it.scopedLive("is one sentence where it is no path, or too long", () =>
    Effect.gen(function* () {
      for (const path of ["unix:", "unix:x.sock", "unix://x.sock", "unix:////x"]) {
        const ended = yield* at(path, "list")
        expectError(
          ended,
          `PORT_SERVER_ADDR: the address of a socket must be unix: and an absolute path, not ${JSON.stringify(path)}`
        )
      }
      expect((yield* at(`unix:/${"a".repeat(107)}`, "list")).stderr).toMatch(
        /^error: PORT_SERVER_ADDR: the path of a socket has at most 107 bytes, which .* exceeds\n/
      )
    })
  )

  it.scopedLive("may be kept as the usual address", () =>
    Effect.gen(function* () {
      const me = yield* user
      const server = yield* startServer()
      const address = `unix:${server.database}.sock`
      const env = { PORT_SERVER_ADDR: "" }
      expect((yield* me.portctl(`config set address ${address}`, { env })).stdout).toBe(`set address to ${address}\n`)
      expect((yield* me.portctl("config get address", { env })).stdout).toBe(`${address}\n`)
      expect((yield* me.portctl("health", { env })).stdout).toBe("ok\n")
      yield* me.portctl("config unset address", { env })
    })
  )

  it.scopedLive("is no port-server where another program listens", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = join(folder, "silent.sock")
      yield* silentSocket(path)
      const { code, stderr } = yield* at(`unix:${path}`, "status")
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: `error: another program listens at unix:${path}, and does not answer as port-server\n`
      })
    })
  )
})

describe.concurrent("an address that was chosen", () => {
  it.scopedLive("is asked alone, whatever socket there is", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const data = join(folder, ".port_server")
      mkdirSync(data)
      const server = yield* startServer({ folder: data })
      const other = yield* freePorts(1)
      const ended = yield* portctl(["list"], { env: { HOME: folder, PORT_SERVER_ADDR: `127.0.0.1:${other}` } })
      expectError(ended, `cannot reach port-server at 127.0.0.1:${other} (is it running? start it with: portctl start)`)
      expect(server.port).not.toBe(other)
    })
  )
})
