import { useEffect, useRef } from "preact/hooks"
import { dismiss, type Notice, notices, undo } from "../state/Releases.ts"
import { Icon } from "./Icon.tsx"

/** The keyboard is where the release was confirmed, in a dialog that is gone. */
const UndoButton = ({ notice }: { readonly notice: Notice }) => {
  const button = useRef<HTMLButtonElement>(null)
  useEffect(() => button.current?.focus(), [])
  const onClick = async () => {
    await undo(notice)
    document.querySelector<HTMLElement>(`#port-${notice.undoable?.port} a`)?.focus()
  }
  return (
    <button ref={button} type="button" class="button" onClick={onClick}>
      Undo
    </button>
  )
}

/** Messages about what was done. */
export const Notices = () => (
  <div class="notices" role="status" aria-live="polite">
    {notices.value.map((notice) => (
      <div key={notice.id} class="notice" data-undoable={notice.undoable !== undefined}>
        <span>{notice.text}</span>
        {notice.undoable === undefined ? undefined : <UndoButton notice={notice} />}
        <button type="button" class="action" aria-label="Dismiss" onClick={() => dismiss(notice.id)}>
          <Icon name="release" />
        </button>
      </div>
    ))}
  </div>
)
