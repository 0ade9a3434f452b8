import { useEffect, useRef } from "preact/hooks"
import { shown } from "../model/Text.ts"
import { nameOf } from "../model/WorkingCopies.ts"
import { knownListening } from "../state/Registry.ts"
import { confirming, release } from "../state/Releases.ts"

/** Asks whether a port is to be released. */
export const ReleaseDialog = () => {
  const dialog = useRef<HTMLDialogElement>(null)
  const allocation = confirming.value
  useEffect(() => {
    if (allocation !== undefined) dialog.current?.showModal()
    else dialog.current?.close()
  }, [allocation])
  if (allocation === undefined) return null
  const isBusy = knownListening.value.some(({ port }) => port === allocation.port)
  const cancel = () => {
    confirming.value = undefined
  }
  return (
    <dialog ref={dialog} aria-labelledby="release-title" onClose={cancel}>
      <h2 id="release-title">Release port {allocation.port}?</h2>
      <p>
        It belongs to {nameOf(allocation)} {shown(allocation.service)}. Another project may get it then.
        {isBusy ? " What is on the port goes on running." : ""}
      </p>
      <div class="buttons">
        <button type="button" class="button" onClick={cancel}>
          Keep it
        </button>
        <button type="button" class="button danger" onClick={() => release(allocation)}>
          Release
        </button>
      </div>
    </dialog>
  )
}
