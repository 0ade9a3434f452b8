import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { user } from "../../support/Daemon.ts"
import { expectAnswer } from "../../support/Expectations.ts"
import { inOwnNetwork, noNamespaces } from "../../support/Networks.ts"
import { bin, portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"

const foreign =
  "error: the port-server at 127.0.0.1:51234 is the one of user nobody: to share it, portctl config set address 127.0.0.1:51234; to have your own, portctl config set address 127.0.0.1:51235\n"

const sudo =
  "error: port-server is not started under sudo, where it would be root's and not yours: run portctl start without sudo, or choose an address with --port or PORT_SERVER_ADDR\n"

const sudoRestart = sudo.replace("portctl start", "portctl restart")

const ensure = '"$portctl" ensure --app a --instance b --service web'

describe.skipIf(noNamespaces !== undefined)("at the default address", () => {
  it.scopedLive(
    "a server of another user is refused by every command, and shared or not as its address is chosen",
    () =>
      Effect.gen(function* () {
        const { folder, ...ended } = yield* inOwnNetwork(`
as_other "$portctl" start > started || exit 1
before=$(as_other "$portctl" status --json)
for command in list "allocate --app a --instance b --service c" "release --app a" "ensure --app a --instance b --service c" \\
  "run --app a --instance b -- true" start restart; do
  "$portctl" $command 2>> refused && echo "$command succeeded"
done
[ "$before" = "$(as_other "$portctl" status --json)" ] || echo changed
PORT_SERVER_ADDR=127.0.0.1:51234 "$portctl" list
"$portctl" config set address 127.0.0.1:51234
"$portctl" list
"$portctl" config set address 127.0.0.1:51235
${ensure} 2> note
cat refused`)
        expect(ended).toMatchObject({ code: 0, stderr: "" })
        expect(ended.stdout).toBe(
          `no allocations\nset address to 127.0.0.1:51234\nno allocations\nset address to 127.0.0.1:51235\na/b\nweb  3000\n${foreign.repeat(7)}`
        )
        expect(existsSync(join(folder, ".port_server/ports.db"))).toBe(true)
      })
  )

  it.scopedLive("a server that is shared has its database where only its user can look, which doctor says", () =>
    Effect.gen(function* () {
      const { folder, stdout } = yield* inOwnNetwork(`
"$portctl" start > started || exit 1
PORT_SERVER_ADDR=127.0.0.1:51234 as_other "$portctl" doctor --json`)
      const file = join(folder, ".port_server/ports.db")
      const { checks } = JSON.parse(stdout)
      expect(checks.filter(({ name }: { readonly name: string }) => name === "database")).toEqual([
        {
          name: "database",
          status: "ok",
          message: `${file} is in a folder that this user cannot look into; port-server has it open`
        }
      ])
    })
  )

  it.scopedLive("root by sudo uses the server of the user who called it, and starts none", () =>
    Effect.gen(function* () {
      const { folder, ...ended } = yield* inOwnNetwork(`
for command in start restart "ensure --app a --instance b --service c"; do
  as_sudo "$portctl" $command && echo "$command succeeded"
  HOME=$other as_sudo "$portctl" $command && echo "$command succeeded"
done 2> refused
as_sudo "$portctl" list
PORT_SERVER_ADDR=127.0.0.1:51234 as_sudo "$portctl" list
as_sudo "$portctl" doctor | grep -o 'to do: .* sudo$'
[ -e other/.port_server ] && echo "a folder was made"
as_other "$portctl" start > started || exit 1
as_sudo ${ensure}
as_sudo "$portctl" restart 2>> refused && echo restarted
find other ! -user 65534
as_other "$portctl" stop > stopped
# An address that was chosen is root's own, but nothing of it is in the home of the user.
HOME=$other as_sudo "$portctl" start --port 4000 2>> refused && echo started
HOME=$other as_sudo "$portctl" start --port 4000 --log "$PWD/log" 2>> refused && echo started
HOME=$other as_sudo "$server" --port 4000 2>> refused && echo started
find other ! -user 65534
as_sudo "$portctl" start --port 4000 > started 2>&1 || echo "not started"
"$portctl" stop --port 4000 > stopped
cat refused`)
      const data = join(folder, "other/.port_server")
      const inHome = `error: ${data} is in the home of the user who called sudo, and would be root's: use sudo -H`
      expect(ended).toMatchObject({
        code: 0,
        stderr: ["portctl start, without sudo", "portctl start"]
          .map(
            (advice) => `error: cannot reach port-server at 127.0.0.1:51234 (is it running? start it with: ${advice})\n`
          )
          .join("")
      })
      expect(ended.stdout).toBe(
        `to do: portctl start, without sudo\na/b\nweb  3000\n${sudo.repeat(6)}${sudoRestart}${`${inHome}\n`.repeat(2)}${inHome}, or --db FILE\n`
      )
    })
  )

  it.scopedLive("root by sudo makes files that belong to the user who called it, in a folder of theirs", () =>
    Effect.gen(function* () {
      const { folder, ...ended } = yield* inOwnNetwork(`
as_other "$portctl" start > started || exit 1
as_caller() { SUDO_GID=65534 as_sudo "$@"; }
mkdir root
cd other
as_other git init -q project
cd project
as_caller "$portctl" init --service web > ../../made
as_caller "$portctl" add db >> ../../made
as_caller "$portctl" env --write .env.local >> ../../made
as_caller "$portctl" agents install --claude --cursor >> ../../made
as_caller "$portctl" agents install --claude --cursor >> ../../made
find . ! -path './.git/*' '(' ! -user 65534 -o ! -group 65534 ')'
as_other "$portctl" add mail
as_other "$portctl" env --write .env.local
ls -A .claude
cd ../../root
as_caller "$portctl" init --service web >> ../made
find . ! -user 0
cat ../made`)
      expect(ended).toMatchObject({ code: 0, stderr: "" })
      expect(ended.stdout).toMatch(
        /^added mail .*\nwrote .*\nsettings\.json\nskills\nwrote \S+\/other\/project\/portctl\.json /
      )
      expect(existsSync(join(folder, "root/portctl.json"))).toBe(true)
    })
  )

  it.scopedLive("status shows whose the server is", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { stdout } = yield* portctl(["status"], { server })
      expect(stdout).toMatch(/^user +\S+$/m)
    })
  )
})

describe.skipIf(noNamespaces !== undefined)("a server in another network", () => {
  const sentence = (database: string) =>
    `cannot open the database ${database}: it is used by a program in another network namespace or container, or of another user, which sees other ports than a server here would; run portctl where that one runs, or use another database (--db FILE or PORT_SERVER_DB)`

  for (const [where, namespaces] of [
    ["another network namespace", ["-n"]],
    ["a container", ["-n", "-m", "-p", "--fork", "--mount-proc"]]
  ] as const) {
    it.scopedLive(`keeps one in ${where} from starting on its database; its end frees it`, () =>
      Effect.gen(function* () {
        const me = yield* user
        const given = yield* me.portctl("ensure --app a --instance b --service web")
        expect(given.code).toBe(0)
        const inside = (command: string) =>
          start("unshare", [...namespaces, "sh", "-c", `busybox ip link set lo up; ${command}`], {
            cwd: me.home,
            env: { ...me.env, portctl: bin.portctl, server: bin.portServer }
          }).pipe(
            Effect.flatMap(({ ended }) => ended),
            Effect.scoped
          )
        const stopped = `"$portctl" stop > stopped`
        for (const [command, code] of [
          [ensure, 69],
          ['"$portctl" start', 1]
        ] as const) {
          const ended = yield* inside(command)
          expect(ended).toMatchObject({ code, stdout: "" })
          expect(ended.stderr).toBe(`error: port-server did not start: ${sentence(me.database)} (log: ${me.log})\n`)
        }
        const own = yield* inside(`PORT_SERVER_DB=own.db ${ensure}; ${stopped}`)
        expect(own.stdout).toBe("a/b\nweb  3000\n")
        yield* me.portctl("stop")
        expect((yield* inside(`${ensure}; ${stopped}`)).stdout).toBe(given.stdout)
      })
    )
  }

  it.scopedLive("a database that a crash left is opened, and two servers of one network share one", () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      const first = yield* startServer({ folder: home })
      expect(
        (yield* portctl(["allocate", "--app", "a", "--instance", "b", "--service", "c"], { server: first })).code
      ).toBe(0)
      const second = yield* startServer({ folder: home })
      expect((yield* portctl(["list", "--json"], { server: second })).stdout).toContain('"app": "a"')
      second.process.kill("SIGKILL")
      first.process.kill("SIGKILL")
      yield* Effect.all([first.ended, second.ended])
      expect(existsSync(`${first.database}-shm`)).toBe(true)
      const third = yield* startServer({ folder: home })
      expect((yield* portctl(["list", "--json"], { server: third })).stdout).toContain('"app": "a"')
    })
  )

  it.scopedLive("localhost that is ::1 alone reaches a server", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const hosts = join(server.home, "hosts")
      writeFileSync(hosts, "::1 localhost\n")
      const script = `mount --bind "$0" /etc/hosts && getent ahosts localhost >&2; exec "$1" list`
      const running = yield* start("unshare", ["-m", "sh", "-c", script, hosts, bin.portctl], {
        env: { PORT_SERVER_ADDR: `localhost:${server.port}` }
      })
      const ended = yield* running.ended
      expect(ended.stderr).toMatch(/^::1 /)
      expectAnswer({ ...ended, stderr: "" }, "no allocations\n")
    })
  )
})
