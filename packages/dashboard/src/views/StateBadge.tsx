import type { PortState } from "../model/PortState.ts"

const words: Readonly<Record<PortState, readonly [word: string, meaning: string]>> = {
  listening: ["Listening", "This working copy's own process listens on the port."],
  container: ["Container", "A container publishes the port."],
  idle: ["Idle", "Nothing is on the port."],
  foreign: ["Foreign", "What is on the port does not belong to this working copy."],
  unknown: ["Unknown", "Something is on the port, and it is not known whose it is."],
  reading: ["…", "The sockets of this machine are being read."],
  unreadable: ["Unknown", "The sockets of this machine could not be read."]
}

/** The state of a port, in a word. */
export const StateBadge = ({ state }: { readonly state: PortState }) => {
  const [word, meaning] = words[state]
  return (
    <span class="badge" data-state={state} title={meaning}>
      {word}
    </span>
  )
}
