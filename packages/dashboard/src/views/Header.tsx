import { allocations, failure, unallocated } from "../state/Registry.ts"
import { type Tab, tab, tabs } from "../state/View.ts"

const names: Readonly<Record<Tab, string>> = {
  ports: "Ports",
  listeners: "Other",
  history: "History",
  server: "Server"
}

const countOf = (name: Tab): number | undefined =>
  name === "ports" ? allocations.value?.length : name === "listeners" ? unallocated.value.length : undefined

/** The page's name, whether it is live, and its parts. */
export const Header = () => (
  <header class="top">
    <a class="skip" href="#content">
      Skip to the ports
    </a>
    <h1>
      <img src="/dashboard.svg" alt="" width="24" height="24" />
      port-server
    </h1>
    <nav aria-label="Parts of the page">
      {tabs.map((name) => (
        <a key={name} href={`#/${name}`} aria-current={tab.value === name ? "page" : undefined}>
          {names[name]}
          {name === "listeners" ? <span class="wide-only">listeners</span> : undefined}
          {countOf(name) === undefined ? undefined : <span class="count">{countOf(name)}</span>}
        </a>
      ))}
    </nav>
    <span class="live" data-live={failure.value === undefined} role="status">
      {failure.value === undefined ? "Live" : "Not connected"}
    </span>
    <a class="docs" href="/docs">
      API
    </a>
  </header>
)
