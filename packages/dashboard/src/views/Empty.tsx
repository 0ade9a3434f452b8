import { clearFilters, query } from "../state/View.ts"
import { Command } from "./Command.tsx"

/** What to do where there is no port yet. */
export const Empty = () => (
  <section class="empty">
    <h2>No ports are allocated yet</h2>
    <p>In the folder of a project, give its services their ports:</p>
    <Command text="portctl ensure --service web,db" />
    <p>Or start a command with its port in PORT:</p>
    <Command text="portctl run -- npm run dev" />
    <p class="muted">This page shows them as soon as they are there.</p>
  </section>
)

/** What to do where a search finds nothing. */
export const NothingFound = () => (
  <section class="empty">
    <h2>Nothing is found{query.value === "" ? "" : ` for “${query.value}”`}</h2>
    <button type="button" class="button" onClick={clearFilters}>
      Show everything
    </button>
  </section>
)
