import { socketsOf } from "../model/PortState.ts"
import { matchesListening, wordsOf } from "../model/Search.ts"
import { listenersError, unallocated } from "../state/Registry.ts"
import { query } from "../state/View.ts"
import { NothingFound } from "./Empty.tsx"
import { Who } from "./Who.tsx"

/** The ports that something holds and nobody has allocated. */
export const ListenersTab = () => {
  if (listenersError.value !== undefined) return <p class="empty">{listenersError.value}</p>
  const words = wordsOf(query.value)
  const found = unallocated.value.filter((each) => matchesListening(words, each))
  return (
    <section class="panel" aria-labelledby="listeners-title">
      <h2 id="listeners-title">Ports in use that nobody has allocated</h2>
      {found.length === 0 && words.length > 0 ? <NothingFound /> : undefined}
      <ul class="services wide">
        {found.map((each) => (
          <li key={each.port} class="service">
            <span class="port">{each.port}</span>
            <span class="addresses">{each.addresses.join(", ")}</span>
            <Who sockets={socketsOf(each)} error={each.listener_error} hasFolders />
          </li>
        ))}
      </ul>
    </section>
  )
}
