import { signal } from "@preact/signals"
import * as Api from "../api/Api.ts"
import type { HistoryEvent } from "../model/Types.ts"

/** The newest events, newest first; nothing before they are read. */
export const events = signal<ReadonlyArray<HistoryEvent> | undefined>(undefined)
/** Whether there may be older ones. */
export const hasOlder = signal(false)
/** Why they could not be read. */
export const historyError = signal<string | undefined>(undefined)

const read = async (before?: number): Promise<void> => {
  try {
    const page = await Api.events(before)
    const newer = before === undefined ? [] : (events.value ?? [])
    events.value = [...newer, ...page.toReversed()]
    hasOlder.value = page.length === Api.eventPage
    historyError.value = undefined
  } catch (error) {
    historyError.value = Api.messageOf(error)
  }
}

/** Read the newest events. */
export const readHistory = (): Promise<void> => read()

/** Read those before the oldest one that is known. */
export const readOlder = (): Promise<void> => read(events.value?.at(-1)?.id)

/** Put an event that has just happened on top. */
export const addEvent = (event: HistoryEvent): void => {
  const known = events.value
  if (known !== undefined && event.id > (known[0]?.id ?? 0)) events.value = [event, ...known]
}
