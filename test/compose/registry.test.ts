import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { composeProject, planIn, type WorkingCopy } from "../support/ComposeProject.ts"
import { noEngine, sharedEngine } from "../support/Engine.ts"

/** Compose projects with something odd in each. */
const folder = fileURLToPath(new URL("registry", import.meta.url))
const names = readdirSync(folder)

const Record = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const Service = Schema.Struct({ ports: Schema.optional(Schema.Array(Record)) }, Record)
const Model = Schema.parseJson(
  Schema.Struct({ name: Schema.String, services: Schema.Record({ key: Schema.String, value: Service }) }, Record)
)
type Model = typeof Model.Type

const json = ["--profile", "*", "config", "--format", "json"]

const modelOf = (ended: Effect.Effect.Success<ReturnType<WorkingCopy["compose"]>>) => {
  expect(ended.code, ended.stderr).toBe(0)
  return Schema.decodeUnknownSync(Model)(ended.stdout)
}

/** A model without published ports and names of containers. */
const rest = ({ services, ...model }: Model) => ({
  ...model,
  services: Object.fromEntries(
    Object.entries(services).map(([name, { container_name: _name, ports = [], ...service }]) => [
      name,
      { ...service, ports: ports.map(({ published: _published, ...port }) => port) }
    ])
  )
})

describe("an odd Compose file", { concurrent: true, skip: noEngine !== undefined }, () => {
  sharedEngine("of the registry", (it) => {
    it.effect.each(names)("%s differs in a second worktree in ports and names alone", (name) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { main, worktree } = yield* composeProject({}, "odd", { from: `${folder}/${name}` })
          const first = modelOf(yield* main.portctl(["compose", ...json]))
          const other = worktree("second")
          const rows = yield* planIn(other)
          const second = modelOf(yield* other.portctl(["compose", ...json]))
          expect(second.name).not.toBe(first.name)
          const plain = modelOf(yield* other.compose(json, { COMPOSE_PROJECT_NAME: second.name }))
          expect(rest(second)).toEqual(rest(plain))
          const published = ({ services }: Model) =>
            Object.values(services).flatMap(({ ports = [] }) => ports.map(({ published }) => published))
          expect(published(second)).toEqual(rows.map(({ port }) => (port === null ? undefined : String(port))))
          for (const { file, port, reason = "" } of rows) {
            if (/left as it is|network_mode|chooses/.test(reason)) expect(port).toBe(file)
            else expect(published(first)).not.toContain(String(port))
          }
        })
      )
    )
  })
})
