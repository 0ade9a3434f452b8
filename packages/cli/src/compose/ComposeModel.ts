import * as Schema from "effect/Schema"

const Rest = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const PublishedText = Schema.Union(
  Schema.String,
  Schema.transform(Schema.Number, Schema.String, { strict: true, decode: String, encode: Number })
)

/** A port of a service in its long form. */
const ServicePort = Schema.Struct(
  {
    target: Schema.Number,
    published: Schema.optionalWith(PublishedText, { exact: true }),
    protocol: Schema.optionalWith(Schema.String, { exact: true }),
    mode: Schema.optionalWith(Schema.String, { exact: true })
  },
  Rest
)
/** A port of a service in its long form. */
export type ServicePort = typeof ServicePort.Type

const Service = Schema.Struct(
  {
    ports: Schema.optionalWith(Schema.Array(ServicePort), { exact: true }),
    network_mode: Schema.optionalWith(Schema.String, { exact: true }),
    container_name: Schema.optionalWith(Schema.String, { exact: true }),
    scale: Schema.optionalWith(Schema.Number, { exact: true }),
    deploy: Schema.optionalWith(
      Schema.Struct({ replicas: Schema.optionalWith(Schema.Number, { exact: true }) }, Rest),
      { exact: true }
    )
  },
  Rest
)
/** A service of the resolved model. */
export type Service = typeof Service.Type

/** What `docker compose config --format json` prints, as far as ports and names go; the rest is there as it is. */
export const ComposeModel = Schema.parseJson(
  Schema.Struct(
    {
      name: Schema.String,
      services: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Service }), { default: () => ({}) })
    },
    Rest
  )
)
/** What `docker compose config` prints. */
export type ComposeModel = typeof ComposeModel.Type

/** How many containers a service has. */
export const replicasOf = ({ deploy, scale }: Service): number => deploy?.replicas ?? scale ?? 1

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The path of the first value that differs between two values of JSON; `undefined` where they are equal. */
const firstDifference = (one: unknown, other: unknown, path: ReadonlyArray<string>): string | undefined => {
  if (Array.isArray(one) && Array.isArray(other) && one.length === other.length) {
    return one.map((value, index) => firstDifference(value, other[index], [...path, String(index)])).find(Boolean)
  }
  if (isRecord(one) && isRecord(other)) {
    const keys = new Set([...Object.keys(one), ...Object.keys(other)])
    return [...keys].map((key) => firstDifference(one[key], other[key], [...path, key])).find(Boolean)
  }
  return JSON.stringify(one) === JSON.stringify(other) ? undefined : path.join(".")
}

/** A model without what an override may change. */
const withoutPorts = ({ services, ...model }: ComposeModel) => ({
  ...model,
  services: Object.fromEntries(
    Object.entries(services).map(([name, { container_name: _name, ports = [], ...service }]) => [
      name,
      { ...service, ports: ports.map(({ published: _published, ...port }) => port) }
    ])
  )
})

/** Where two models differ in more than published ports and names of containers; `undefined` where they do not. */
export const differenceOf = (before: ComposeModel, after: ComposeModel): string | undefined =>
  firstDifference(withoutPorts(before), withoutPorts(after), [])
