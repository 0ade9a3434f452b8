import { variableOf } from "@port-server/domain/ServiceVariable"
import { anchorOf } from "../model/Problems.ts"
import { shown } from "../model/Text.ts"
import { nameOf, type Service } from "../model/WorkingCopies.ts"
import { confirming } from "../state/Releases.ts"
import { CopyButton } from "./CopyButton.tsx"
import { Icon } from "./Icon.tsx"
import { StateBadge } from "./StateBadge.tsx"
import { Who } from "./Who.tsx"

/** A service: its port, what is on it, and what can be done with it. */
export const ServiceRow = ({ service }: { readonly service: Service }) => {
  const { allocation, error, reserved, sockets, state } = service
  const { port } = allocation
  const name = shown(allocation.service)
  const url = `http://localhost:${port}`
  return (
    <li class="service" id={anchorOf(service)} data-state={state}>
      <span class="service-name" title={name}>
        {name}
      </span>
      <a class="port" href={url} target="_blank" rel="noreferrer" title={`Open ${url}`}>
        <span class="visually-hidden">port </span>
        {port}
      </a>
      <StateBadge state={state} />
      <Who
        sockets={sockets}
        stopped={reserved?.container}
        error={error}
        hasFolders={state === "foreign" || state === "unknown"}
      />
      <span class="actions">
        <CopyButton text={url} label={`Copy the URL of ${name}`} isWord>
          URL
        </CopyButton>
        <CopyButton
          text={`${variableOf(allocation.service)}=${port}`}
          label={`Copy the ENV variable of ${name}`}
          isWord
        >
          ENV
        </CopyButton>
        <button
          type="button"
          class="action danger"
          title="Release the port"
          aria-label={`Release port ${port} of ${nameOf(allocation)} ${name}`}
          onClick={() => {
            confirming.value = allocation
          }}
        >
          <Icon name="release" />
        </button>
      </span>
    </li>
  )
}
