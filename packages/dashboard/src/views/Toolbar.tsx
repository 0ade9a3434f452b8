import { useEffect, useRef } from "preact/hooks"
import { isIn, type StateFilter } from "../model/Search.ts"
import { copies } from "../state/Registry.ts"
import { filter, query, tab } from "../state/View.ts"
import { Icon } from "./Icon.tsx"

const filters: ReadonlyArray<readonly [StateFilter, string]> = [
  ["all", "All"],
  ["problems", "Problems"],
  ["running", "In use"],
  ["idle", "Idle"]
]

const isTyping = ({ target }: Event): boolean =>
  target instanceof HTMLInputElement || (target instanceof HTMLElement && target.closest("dialog") !== null)

/** The search, and the ports by their state. */
export const Toolbar = () => {
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return
      event.preventDefault()
      input.current?.focus()
      input.current?.select()
    }
    addEventListener("keydown", onKey)
    return () => removeEventListener("keydown", onKey)
  }, [])
  const services = copies.value.flatMap((copy) => copy.services)
  return (
    <div class="toolbar">
      <label class="search">
        <Icon name="search" />
        <span class="visually-hidden">Search by app, instance, service, port, folder or process</span>
        <input
          ref={input}
          type="search"
          placeholder="Search"
          autocomplete="off"
          spellcheck={false}
          value={query.value}
          onInput={({ currentTarget }) => {
            query.value = currentTarget.value
          }}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return
            if (query.value === "") input.current?.blur()
            query.value = ""
          }}
        />
        <span class="key" aria-hidden="true">
          /
        </span>
      </label>
      {tab.value === "ports" ? (
        <fieldset class="filters">
          <legend class="visually-hidden">Show</legend>
          {filters.map(([value, word]) => (
            <button
              key={value}
              type="button"
              class="chip"
              aria-pressed={filter.value === value}
              onClick={() => {
                filter.value = value
              }}
            >
              {word} <span class="count">{services.filter((service) => isIn(value, service)).length}</span>
            </button>
          ))}
        </fieldset>
      ) : undefined}
    </div>
  )
}
