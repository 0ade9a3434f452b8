import type { ComponentChildren } from "preact"
import { listening, server } from "../state/Registry.ts"
import { Command } from "./Command.tsx"

const Row = ({ children, name }: { readonly name: string; readonly children: ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)

const since = (time: string): string => new Date(time).toLocaleString()

/** What the server says of itself, and what it cannot see. */
export const ServerTab = () => {
  const info = server.value
  if (info === undefined) return null
  const errors = [...new Set(listening.value.flatMap(({ listener_error }) => listener_error ?? []))]
  return (
    <section class="panel" aria-labelledby="server-title">
      <h2 id="server-title">port-server {info.version}</h2>
      <dl>
        <Row name="Address">{location.host}</Row>
        <Row name="Database">{info.database}</Row>
        <Row name="Hands out">
          {info.range}
          {info.probe === false ? ", also ports that something listens on" : ""}
        </Row>
        <Row name="Allocated">{info.allocations ?? "cannot be read"}</Row>
        <Row name="Running since">{since(info.started_at)}</Row>
        <Row name="Process">
          {info.pid}
          {info.user === undefined ? "" : ` of ${info.user}`}
        </Row>
        {errors.length === 0 ? undefined : <Row name="Cannot see">{errors.join("; ")}</Row>}
      </dl>
      <p>Is something not as it should be?</p>
      <Command text="portctl doctor" />
    </section>
  )
}
