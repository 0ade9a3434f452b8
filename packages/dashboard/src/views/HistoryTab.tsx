import { useEffect } from "preact/hooks"
import { clientName, textsOf } from "../model/Events.ts"
import { matches, wordsOf } from "../model/Search.ts"
import { shown } from "../model/Text.ts"
import type { HistoryEvent } from "../model/Types.ts"
import { nameOf } from "../model/WorkingCopies.ts"
import { events, hasOlder, historyError, readOlder } from "../state/History.ts"
import { query } from "../state/View.ts"
import { NothingFound } from "./Empty.tsx"

let clock: Intl.DateTimeFormat | undefined

/** A time as the user writes it. The format is made with the first one: that takes Chromium some 30 ms. */
const written = (time: string): string => {
  clock ??= new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" })
  return clock.format(new Date(time))
}

const details = ({ allocation, from, kind }: HistoryEvent): string => {
  if (kind !== "moved") return shown(allocation.path ?? "")
  return `${from === undefined ? "" : `from ${shown(from)} `}to ${shown(allocation.path ?? "no folder")}`
}

const Row = ({ event }: { readonly event: HistoryEvent }) => (
  <li class="event">
    <time dateTime={event.at}>{written(event.at)}</time>
    <span class="badge" data-kind={event.kind}>
      {event.kind}
    </span>
    <span class="port">{event.allocation.port}</span>
    <span class="event-name">
      {nameOf(event.allocation)} <b>{shown(event.allocation.service)}</b>
      <span class="event-details muted">{details(event)}</span>
    </span>
    <span class="muted" title="What the client said about itself; it is not verified">
      {clientName(event)}
    </span>
  </li>
)

/** What happened to the ports, newest first. */
export const HistoryTab = () => {
  const words = wordsOf(query.value)
  const found = events.value?.filter((event) => matches(words, textsOf(event))) ?? []
  const isSearching = words.length > 0
  // What is searched for may be older than what was read.
  useEffect(() => {
    if (isSearching && found.length < 20 && hasOlder.value) void readOlder()
  }, [isSearching, found.length, events.value])
  if (events.value === undefined) return historyError.value && <p class="empty">{historyError.value}</p>
  if (found.length === 0) return isSearching ? <NothingFound /> : <p class="empty">Nothing has happened yet.</p>
  return (
    <section class="panel" aria-labelledby="history-title">
      <h2 id="history-title">What happened to the ports</h2>
      <ul>
        {found.map((event) => (
          <Row key={event.id} event={event} />
        ))}
      </ul>
      {historyError.value === undefined ? undefined : <p class="empty">{historyError.value}</p>}
      {hasOlder.value ? (
        <button type="button" class="button older" onClick={readOlder}>
          Show older ones
        </button>
      ) : undefined}
    </section>
  )
}
