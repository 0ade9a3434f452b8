/** Five sentences about the server, for a model. */
export const instructions = (isReadOnly: boolean): string =>
  [
    "port-server gives every service of every working copy on this machine, a git worktree, clone or folder, a port of its own that stays the same.",
    isReadOnly
      ? "Never choose a port yourself: get_ports shows what the working copy in path has, and the command portctl ensure, run in that folder, gives it what it lacks."
      : "Never choose a port yourself: call ensure_ports with path, the absolute path of the folder that you work in, and start programs there with the variables that it returns, or as portctl run -- COMMAND.",
    "Before you rely on a server that answers, call verify_ports with the same path: own is this working copy's, and foreign is another one's: do not use or end it.",
    "When a port is taken, call why_port and report who has it, instead of choosing another number or ending the process.",
    isReadOnly
      ? "When a working copy is done for good, portctl release --here gives its ports back."
      : "When a working copy is done for good, and only then, release_ports gives its ports back."
  ].join(" ")
