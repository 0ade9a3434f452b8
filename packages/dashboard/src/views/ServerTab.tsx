import type { ComponentChildren } from "preact"
import { counted, shown } from "../model/Text.ts"
import { containers, listening, server } from "../state/Registry.ts"

import { Command } from "./Command.tsx"

const Row = ({ children, name }: { readonly name: string; readonly children: ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)

const units = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1]
] as const

/** How long ago a time is, in its largest unit: `2 hours`. */
const age = (time: string): string => {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000))
  const [unit, length] = units.find(([, length]) => seconds >= length) ?? ["second", 1]
  return counted(Math.floor(seconds / length), unit)
}

/** The container engine, or why its containers are not known. */
const engine = (): string => {
  const { error, kind, socket, status } = containers.value?.engine ?? { status: "unknown" }
  if (status === "none") return "no container engine answers"
  return status === "running" ? `${kind} at ${socket}` : `cannot be seen: ${error ?? "it is not known why"}`
}

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
        <Row name="Running for">
          {age(info.started_at)}, since {new Date(info.started_at).toLocaleString()}
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
