import * as Context from "effect/Context"

/**
 * What follows `--` on the command line of a command that runs another program: that program's name and arguments, as
 * they stand. Empty for every other command.
 */
export class Rest extends Context.Reference<Rest>()("@port-server/command-line/command/PassthroughArgs", {
  defaultValue: (): ReadonlyArray<string> => []
}) {}
