import type { Typing } from "./Terminals.ts"

const prompt = /^(\S*\$ )(.*)$/
const question = /^(.*\[y\/N\] )(.*)$/

/** What a person types in a transcript: a command after each prompt, and an answer after each question. */
export const typingOf = (transcript: string): ReadonlyArray<Typing> =>
  transcript.split("\n").flatMap((line): ReadonlyArray<Typing> => {
    const [, after, keys] = prompt.exec(line) ?? question.exec(line) ?? []
    return after === undefined || keys === undefined ? [] : [[after, `${keys}\n`]]
  })

/** A shell on a terminal as wide as every line, which shows nothing but prompts, what is typed, and output. */
export const shell = ["bash", "--norc", "--noprofile", "-i"]

/** How the shell is set up for transcripts whose prompts look like this. */
export const shellEnvironment = (prompt: string) => ({
  // Root's bash takes no PS1 from its environment.
  PROMPT_COMMAND: `PS1='${prompt}'`,
  TERM: "dumb",
  NO_COLOR: "1",
  HISTFILE: ""
})

/** The screen with the times and process numbers that the documents show, which differ each time. */
export const withSampleValues = (screen: string): string =>
  screen
    .replaceAll("\r\n", "\n")
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "2026-11-28 15:04:05")
    .replace(/\(pid \d+\)/g, "(pid 812)")
