import type { Container } from "./Container.ts"

/** The state of a container that does not run now: an engine refuses to remove one that it starts again and again. */
export const idleState = ({ restarting }: Container): "stopped" | "restarting" =>
  restarting === true ? "restarting" : "stopped"
