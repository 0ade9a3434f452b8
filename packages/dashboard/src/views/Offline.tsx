import { failure, readAt } from "../state/Registry.ts"
import { Command } from "./Command.tsx"

/** Says that what is shown may be outdated. */
export const Offline = () =>
  failure.value === undefined ? null : (
    <section class="offline" role="alert">
      <p>
        {failure.value}.{" "}
        {readAt.value === undefined ? "" : `This is what it said at ${readAt.value.toLocaleTimeString()}.`}
      </p>
      <Command text="portctl start" />
    </section>
  )
