import type { Container, PublishedPort } from "@port-server/domain/Container"
import * as Schema from "effect/Schema"
import type { EngineAnswer } from "./EngineApi.ts"

/** What is used of `GET /containers/json`. */
const Listed = Schema.Array(
  Schema.Struct({
    Id: Schema.String,
    Names: Schema.optional(Schema.NullOr(Schema.Array(Schema.String))),
    Image: Schema.String,
    State: Schema.String,
    Labels: Schema.optional(Schema.NullOr(Schema.Record({ key: Schema.String, value: Schema.String }))),
    Ports: Schema.optional(
      Schema.NullOr(
        Schema.Array(
          Schema.Struct({
            IP: Schema.optional(Schema.NullOr(Schema.String)),
            PublicPort: Schema.optional(Schema.NullOr(Schema.Int)),
            Type: Schema.String
          })
        )
      )
    )
  })
)

type ListedContainer = (typeof Listed.Type)[number]

/** Decodes the answer to `GET /containers/json`. */
export const decode = Schema.decodeUnknown(Listed)

/** Whether a label can be a folder: Linux takes paths below 4096 bytes, and each folder of one is looked for on the disk. */
const canBeFolder = (label: string) => label.length < 4096 && label.split("/").length <= 128

const label = (name: string) => `com.docker.compose.${name}`

/** Whether it runs: what is paused does, and keeps its ports. */
export const isRunning = ({ State }: ListedContainer): boolean => ["running", "paused"].includes(State)

/** The ports that a running container publishes now. */
export const portsOf = ({ Ports }: ListedContainer): ReadonlyArray<PublishedPort> =>
  (Ports ?? []).flatMap(({ IP, PublicPort, Type }): ReadonlyArray<PublishedPort> => {
    if (!PublicPort || (Type !== "tcp" && Type !== "udp")) return []
    return [{ port: PublicPort, protocol: Type, ...(IP ? { address: IP } : {}) }]
  })

/** A container as it is shown. */
export const containerOf = (
  { Id, Image, Labels, Names, State }: ListedContainer,
  kind: EngineAnswer["kind"]
): Container => {
  const project = Labels?.[label("project")]
  const service = Labels?.[label("service")]
  const folder = Labels?.[label("project.working_dir")]
  const names = (Names ?? []).map((name) => name.replace(/^\//, ""))
  return {
    id: Id,
    // A link of another container is a name, too: `web/db`.
    name: names.find((name) => !name.includes("/")) ?? names[0] ?? Id.slice(0, 12),
    image: Image,
    ...(project ? { project } : {}),
    ...(service ? { service } : {}),
    ...(folder && canBeFolder(folder) ? { folder } : {}),
    ...(kind === "podman" ? { engine: kind } : {}),
    ...(State === "restarting" ? { restarting: true as const } : {})
  }
}
