import type { Splice } from "./Arguments.ts"

/** How many words a flag of PHP has that leaves a later `-S` to PHP; nothing for all others, such as `-r` and `--`. */
const lengthOf = (word: string): number | undefined => {
  if (/^-[cdtz]$/.test(word)) return 2
  return /^-([eHnq]|[cdtz].+)$/.test(word) ? 1 : undefined
}

/** The place of PHP's own `-S`: what follows a script or its code is theirs. */
const serverIn = (args: ReadonlyArray<string>): number | undefined => {
  let at = 0
  while (args[at] !== "-S") {
    const length = lengthOf(args[at] ?? "")
    if (length === undefined) return undefined
    at += length
  }
  return at
}

/** The port of PHP's server is part of the address, without which it does not start. */
export const phpArguments = (args: ReadonlyArray<string>, port: string): Splice | undefined => {
  const server = serverIn(args)
  if (server === undefined) return undefined
  const at = server + 1
  const address = args[at]
  if (address === undefined || address.startsWith("-")) return { at, replaced: 0, words: [`localhost:${port}`] }
  return /:\d+$/.test(address) ? undefined : { at, replaced: 1, words: [`${address.replace(/:$/, "")}:${port}`] }
}
