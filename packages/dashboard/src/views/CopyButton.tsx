import { useSignal } from "@preact/signals"
import type { ComponentChildren } from "preact"
import { useEffect } from "preact/hooks"
import { notify } from "../state/Releases.ts"
import { Icon } from "./Icon.tsx"

/** How long a button says that it has copied, in ms. */
const shownFor = 1_500

/** A button that copies a text. */
export const CopyButton = ({
  children,
  isWord = false,
  label,
  text
}: {
  readonly text: string
  /** What it copies, for those who do not see what is in it. */
  readonly label: string
  /** Whether a word is in it, not an icon. */
  readonly isWord?: boolean
  readonly children: ComponentChildren
}) => {
  const copied = useSignal(0)
  useEffect(() => {
    if (copied.value === 0) return
    const timer = setTimeout(() => {
      copied.value = 0
    }, shownFor)
    return () => clearTimeout(timer)
  }, [copied.value])
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      copied.value++
    } catch {
      notify(`The browser does not let the page copy: ${text}`)
    }
  }
  return (
    <button
      type="button"
      class={isWord ? "action word" : "action"}
      title={`${label}: ${text}`}
      aria-label={copied.value > 0 ? `Copied: ${text}` : label}
      data-copied={copied.value > 0}
      onClick={copy}
    >
      {copied.value > 0 ? <Icon name="done" /> : children}
    </button>
  )
}
