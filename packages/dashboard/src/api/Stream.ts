import type { HistoryEvent, ListenersChange } from "../model/Types.ts"

/** What the page wants to know of the stream. */
export interface StreamHandlers {
  /** It is open; what was before must be read once. */
  readonly onOpen: () => void
  /** Allocations have changed. */
  readonly onEvent: (event: HistoryEvent) => void
  /** What listens on allocated ports has changed. */
  readonly onListeners: (change: ListenersChange) => void
  /** What has changed is not known: everything has to be read again. */
  readonly onReset: () => void
  /** It is broken; it opens again by itself. */
  readonly onLost: () => void
}

/** How long to wait before a stream is opened that the browser has given up, in ms. */
const retryAfter = 2_000

const kinds: ReadonlyArray<HistoryEvent["kind"]> = ["allocated", "released", "moved", "pruned", "imported"]

/** Follow the server's events until the returned function is called. */
export const follow = (handlers: StreamHandlers): (() => void) => {
  let source: EventSource | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const open = () => {
    source = new EventSource("/v1/events/stream")
    source.onopen = handlers.onOpen
    source.onerror = () => {
      handlers.onLost()
      // The browser tries again by itself, but not after a response that is no stream.
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(open, retryAfter)
    }
    for (const kind of kinds) source.addEventListener(kind, ({ data }) => handlers.onEvent(JSON.parse(data)))
    source.addEventListener("listeners", ({ data }) => handlers.onListeners(JSON.parse(data)))
    source.addEventListener("reset", handlers.onReset)
  }
  open()
  return () => {
    clearTimeout(timer)
    source?.close()
  }
}
