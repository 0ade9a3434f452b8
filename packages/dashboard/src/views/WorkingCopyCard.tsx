import { summaryOf } from "../model/Problems.ts"
import { shown } from "../model/Text.ts"
import { isInTrouble, type WorkingCopy } from "../model/WorkingCopies.ts"
import { branches } from "../state/Registry.ts"
import { Icon } from "./Icon.tsx"
import { Path } from "./Path.tsx"
import { ServiceRow } from "./ServiceRow.tsx"

const Branch = ({ of }: { readonly of: WorkingCopy }) => {
  const branch = branches.value.get(of.key)
  return branch === undefined ? null : (
    <span class="branch" title={`On the branch ${shown(branch)}`}>
      <Icon name="branch" />
      <span>{shown(branch)}</span>
    </span>
  )
}

/** A working copy and its services. */
export const WorkingCopyCard = ({ copy }: { readonly copy: WorkingCopy }) => (
  <section
    class="card"
    data-trouble={copy.services.some(isInTrouble)}
    aria-label={shown(`${copy.app} ${copy.instance}`)}
  >
    <header>
      <h2>
        <span class="app">{shown(copy.app)}</span>
        <span class="slash" aria-hidden="true">
          /
        </span>
        <span class="instance">{shown(copy.instance)}</span>
      </h2>
      <Branch of={copy} />
      <span class="summary">{summaryOf(copy)}</span>
      {copy.folder === undefined ? undefined : <Path path={copy.folder} isGone={copy.isGone} />}
    </header>
    <ul class="services">
      {copy.services.map((service) => (
        <ServiceRow key={service.allocation.id} service={service} />
      ))}
    </ul>
  </section>
)
