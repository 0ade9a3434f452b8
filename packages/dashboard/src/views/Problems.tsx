import { counted } from "../model/Text.ts"
import { problems } from "../state/Registry.ts"
import { Command } from "./Command.tsx"
import { Icon } from "./Icon.tsx"

/** What is wrong, and what to do about it. */
export const Problems = () =>
  problems.value.length === 0 ? null : (
    <section class="problems" aria-labelledby="problems-title">
      <h2 id="problems-title">
        <Icon name="warning" />
        {counted(problems.value.length, "problem")}
      </h2>
      <ul>
        {problems.value.map(({ anchor, command, detail, key, title }) => (
          <li key={key}>
            <a href={`#${anchor}`}>{title}</a>
            <p>{detail}</p>
            <Command text={command} />
          </li>
        ))}
      </ul>
    </section>
  )
