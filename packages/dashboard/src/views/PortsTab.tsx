import { useSignal } from "@preact/signals"
import { useEffect, useRef } from "preact/hooks"
import { narrowed } from "../model/Search.ts"
import { shown } from "../model/Text.ts"
import { firstServices } from "../model/Window.ts"
import { allocations, copies, failure, listenersError } from "../state/Registry.ts"
import { filter, query } from "../state/View.ts"
import { Empty, NothingFound } from "./Empty.tsx"
import { Memo } from "./Memo.tsx"
import { Problems } from "./Problems.tsx"
import { WorkingCopyCard } from "./WorkingCopyCard.tsx"

/** How many services are rendered at first: more than a screen has. */
const first = 40

/** How many more each time that the end comes near. */
const step = 120

/** The working copies with their ports. */
export const PortsTab = () => {
  const count = useSignal(first)
  const end = useRef<HTMLDivElement>(null)
  const found = narrowed(copies.value, query.value, filter.value)
  const total = found.reduce((sum, { services }) => sum + services.length, 0)
  const more = total > count.value
  useEffect(() => {
    if (end.current === null) return
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting === true) count.value += step
      },
      { rootMargin: "1200px" }
    )
    observer.observe(end.current)
    return () => observer.disconnect()
  }, [more, count.value])

  if (allocations.value === undefined) return null
  if (allocations.value.length === 0) return <Empty />
  return (
    <>
      {/* Of a server that does not answer, the page says so. */}
      {listenersError.value === undefined || failure.value !== undefined ? undefined : (
        <p class="unreadable" role="alert">
          It cannot be told what is on the ports: {shown(listenersError.value)}
        </p>
      )}
      <Problems />
      {found.length === 0 ? <NothingFound /> : undefined}
      <div class="cards">
        {firstServices(found, count.value).map((copy) => (
          <Memo key={copy.key} value={copy} render={(value) => <WorkingCopyCard copy={value} />} />
        ))}
      </div>
      {more ? <div ref={end} class="end" /> : undefined}
    </>
  )
}
