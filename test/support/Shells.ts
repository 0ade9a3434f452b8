/** The shells that can be a machine's /bin/sh, each by the words that start it. */
export const shells: ReadonlyArray<readonly [name: string, ...args: ReadonlyArray<string>]> = [
  ["dash"],
  ["bash", "--posix"],
  ["busybox", "sh"]
]
