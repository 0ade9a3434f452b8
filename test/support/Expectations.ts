import { expect } from "@effect/vitest"
import type { Ended } from "./Programs.ts"

/** An ANSI escape sequence, or the frame of a stack trace. */
const unfit = /\u001b|\u009b|^\s+at |\.[jt]s:\d+/m

/** Nothing that a script or a person should not see is in what a program printed. */
export const expectClean = ({ stderr, stdout }: Ended): void => {
  expect(stdout).not.toMatch(unfit)
  expect(stderr).not.toMatch(unfit)
}

/** The program succeeded, printed exactly this, and complained of nothing. */
export const expectAnswer = (ended: Ended, stdout: string): void => {
  expect(ended).toEqual({ code: 0, signal: null, stdout, stderr: "" })
  expectClean(ended)
}

/** {@link expectAnswer} of a port that was asked for; where something on this machine listens on it, a note says so. */
export const expectGranted = (ended: Ended, stdout: string, port: number): void => {
  const note = new RegExp(`^(note: \\S.* (is listening on|is bound to|has a connection from) port ${port}\\n)+$`)
  expectAnswer({ ...ended, stderr: ended.stderr.replace(note, "") }, stdout)
}

/** The program failed with exactly this sentence, one line, and printed nothing else. */
export const expectError = (ended: Ended, sentence: string, stdout = "", code = 1): void => {
  expect(ended).toEqual({ code, signal: null, stdout, stderr: `error: ${sentence}\n` })
  expectClean(ended)
}

/** The commands of the specification, which fail with 1 whatever the reason is. */
const originals = ["allocate", "release", "list", "check", "health"]

/** {@link expectError} of a command that reached no server. */
export const expectUnreachable = (ended: Ended, args: string, sentence: string, stdout = ""): void =>
  expectError(ended, sentence, stdout, originals.includes(args.split(" ")[0] ?? "") ? 1 : 69)

/** The program refused its command line: what is wrong in one line, then the usage, which starts as given. */
export const expectUsageError = (ended: Ended, wrong: RegExp, usage: string): void => {
  const [program, command] = usage.split(" ")
  const code = program !== "portctl" || command === undefined || originals.includes(command) ? 1 : 2
  const [first = ""] = ended.stderr.split("\n")
  const json = `${JSON.stringify({ error: first.slice("error: ".length) })}\n`
  expect(ended).toMatchObject({ code, signal: null })
  expect(["", json]).toContain(ended.stdout)
  const [error = "", help = "", ...rest] = ended.stderr.split("\n")
  expect(error).toMatch(/^error: ./)
  expect(error).toMatch(wrong)
  expect(`${help} `.startsWith(`usage: ${usage} `), help).toBe(true)
  expect(rest).toEqual([""])
  expectClean(ended)
}
