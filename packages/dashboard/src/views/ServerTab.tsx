import { durationText } from "@port-server/domain/DurationText"
import type { ComponentChildren } from "preact"
import { shown } from "../model/Text.ts"
import { containers, knownListening, server } from "../state/Registry.ts"
import { Command } from "./Command.tsx"

const Row = ({ children, name }: { readonly name: string; readonly children: ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)

/** The container engine, or why its containers are not known. */
const engine = (): string => {
  const { error, kind, socket, status } = containers.value?.engine ?? { status: "unknown" }
  if (status === "none") return "no container engine answers"
  return status === "running" ? `${kind} at ${socket}` : `cannot be seen: ${error ?? "it is not known why"}`
}

/** What the server says about itself, and what it cannot see. */
export const ServerTab = () => {
  const info = server.value
  if (info === undefined) return null
  const errors = [...new Set(knownListening.value.flatMap(({ listener_error }) => listener_error ?? []))]
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
        <Row name="Running for">
          {durationText(Date.now() - Date.parse(info.started_at), 1)}, since{" "}
          {new Date(info.started_at).toLocaleString()}
        </Row>
        <Row name="Process">
          {info.pid}
          {info.user === undefined ? "" : ` of ${info.user}`}
        </Row>
        <Row name="Containers">{shown(engine())}</Row>
        {errors.length === 0 ? undefined : <Row name="Cannot see">{errors.join("; ")}</Row>}
      </dl>
      <p>Is something not as it should be?</p>
      <Command text="portctl doctor" />
    </section>
  )
}
