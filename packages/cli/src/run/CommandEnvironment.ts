import { readFileSync } from "node:fs"
import { isOwnProc } from "../platform/Process.ts"

/** Variables by name. Names and values are bytes, one character each: they need not be UTF-8. */
export type Bytes = ReadonlyMap<string, string>

/** A new value for each variable that changes; none: it is removed. */
export type Changes = ReadonlyMap<string, string | undefined>

export const toBytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1")

export const toText = (bytes: string): string => Buffer.from(bytes, "latin1").toString("utf8")

/** The descriptor that the stub reads its commands from; the stub sets it for this program alone. */
export const descriptorVariable = "PORTCTL_EXEC_FD"

/** The process that becomes the command; the stub sets it, too. Its child has another parent once it has been killed. */
const processVariable = "PORTCTL_EXEC_PID"

/** The process that becomes the command, or that would have if it had not been killed; none without the stub. */
export const commandPid = (): number | undefined => {
  const pid = process.env[processVariable]
  return pid === undefined ? undefined : Number(pid)
}

// Shells set these for themselves, or anew for each program that they start.
const shellsOwn = ["_", "OLDPWD", "PWD", "SHLVL"]

/** The environment of a process when it started; of one without /proc, what this process has. */
const read = (pid: number): Bytes => {
  const variables = new Map<string, string>()
  const add = (name: string, value: string) => {
    if (name !== "" && !variables.has(name)) variables.set(name, value)
  }
  try {
    if (!isOwnProc()) throw new Error("there is no /proc of this program")
    for (const entry of readFileSync(`/proc/${pid}/environ`, "latin1").split("\0")) {
      const at = entry.indexOf("=")
      if (at > 0) add(entry.slice(0, at), entry.slice(at + 1))
    }
  } catch {
    for (const [name, value = ""] of Object.entries(process.env)) add(toBytes(name), toBytes(value))
    for (const name of [descriptorVariable, processVariable]) variables.delete(name)
  }
  return variables
}

/** What this program was started with. Under the stub, that is what the stub was: a shell drops names that it cannot hold. */
export const inherited = (): Bytes => read(commandPid() ?? process.pid)

/** Variables as text. */
export const textOf = (variables: Bytes): Readonly<Record<string, string>> =>
  Object.fromEntries([...variables].map(([name, value]) => [toText(name), toText(value)]))

/** What `env` has to set and to remove, so that a command which the stub starts has the variables it should have. */
export const corrections = (
  inherited: Bytes,
  changes: Changes
): { readonly set: Bytes; readonly removed: ReadonlyArray<string> } => {
  const wanted = new Map(inherited)
  for (const [name, value] of changes) {
    if (value === undefined) wanted.delete(toBytes(name))
    else wanted.set(toBytes(name), toBytes(value))
  }
  const passed = read(process.pid)
  return {
    set: new Map([...wanted].filter(([name, value]) => shellsOwn.includes(name) || passed.get(name) !== value)),
    removed: [...new Set([...passed.keys(), ...shellsOwn])].filter((name) => !wanted.has(name))
  }
}
