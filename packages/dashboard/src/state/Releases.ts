import { signal } from "@preact/signals"
import * as Api from "../api/Api.ts"
import type { Allocation } from "../model/Types.ts"
import { refresh } from "./Registry.ts"

/** How long a release can be undone, in ms. */
export const undoTime = 10_000

/** A message at the bottom of the page; with the allocation whose release can be undone. */
export interface Notice {
  readonly id: number
  readonly text: string
  readonly undoable?: Api.Restorable
}

/** The allocation that is to be released once that is confirmed. */
export const confirming = signal<Allocation | undefined>(undefined)
/** The messages, oldest first. */
export const notices = signal<ReadonlyArray<Notice>>([])

let lastId = 0

/** Take a message away. */
export const dismiss = (id: number): void => {
  notices.value = notices.value.filter((notice) => notice.id !== id)
}

/** Show a message for a while. */
export const notify = (text: string, undoable?: Api.Restorable): void => {
  const id = ++lastId
  notices.value = [...notices.value, undoable === undefined ? { id, text } : { id, text, undoable }]
  setTimeout(() => dismiss(id), undoTime)
}

/** Release an allocation; for a while that can be undone. */
export const release = async (allocation: Allocation): Promise<void> => {
  confirming.value = undefined
  try {
    const undoable = await Api.restorable(allocation)
    await Api.release(allocation)
    notify(
      `Released port ${allocation.port} of ${allocation.app}/${allocation.instance} ${allocation.service}.`,
      undoable
    )
  } catch (error) {
    notify(`Port ${allocation.port} was not released: ${Api.messageOf(error)}.`)
  }
  await refresh()
}

/** Allocate again what was released. */
export const undo = async ({ id, undoable }: Notice): Promise<void> => {
  dismiss(id)
  if (undoable === undefined) return
  try {
    await Api.restore(undoable)
    notify(`Port ${undoable.port} is allocated to ${undoable.app}/${undoable.instance} ${undoable.service} again.`)
  } catch (error) {
    notify(`Port ${undoable.port} was not allocated again: ${Api.messageOf(error)}.`)
  }
  await refresh()
}
