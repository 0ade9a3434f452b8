import * as Schema from "effect/Schema"
import { exact } from "./Allocation.ts"
import { AllowedHosts } from "./AllowedHost.ts"
import { serverAddress, settingsFile } from "./Defaults.ts"
import { EngineChoice } from "./EngineChoice.ts"
import { PortRangeFromText } from "./PortRange.ts"
import { AddressFromText } from "./ServerAddress.ts"

/** Where a running port-server serves the JSON Schema of the settings. */
export const settingsSchemaUrl = `http://${serverAddress}/config.schema.json`

const file = (field: string, description: string) =>
  Schema.String.annotations({ message: () => `${field} must be a string` }).pipe(
    Schema.filter((path) => (path.startsWith("/") && !path.includes("\0")) || `${field} must be an absolute path`, {
      description,
      jsonSchema: { pattern: "^/" }
    })
  )

/** How the server at one address is started; what is missing is the server's default. */
export const ServerSettings = Schema.Struct({
  database: Schema.optionalWith(file("database", "path of the database file"), { exact: true }),
  range: Schema.optionalWith(PortRangeFromText.annotations({ description: "the ports to hand out" }), { exact: true }),
  probe: Schema.optionalWith(
    Schema.Boolean.annotations({
      description: "whether ports that something listens on are skipped",
      message: () => "probe must be true or false"
    }),
    { exact: true }
  ),
  log: Schema.optionalWith(file("log", "path of the log file"), { exact: true }),
  engine: Schema.optionalWith(EngineChoice, { exact: true }),
  socket: Schema.optionalWith(file("socket", "path of the Unix socket to listen on, too"), { exact: true }),
  allow_hosts: Schema.optionalWith(AllowedHosts, { exact: true }),
  unset: Schema.optionalWith(
    Schema.Array(Schema.Literal("database", "range", "probe", "log", "engine", "socket", "allow_hosts")).annotations({
      description: "settings that were removed while the server ran with them: its restart takes their defaults"
    }),
    { exact: true }
  )
}).annotations({
  identifier: "ServerSettings",
  description: "how the server at an address is started",
  message: () => ({ message: 'must be an object like {"range": "20000-29999"}', override: false }),
  ...exact
})
/** How the server at one address is started; what is missing is the server's default. */
export type ServerSettings = typeof ServerSettings.Type

const localAddress = /^127\.0\.0\.1:([1-9][0-9]{0,4})$/

/** The settings of portctl: `config.json` in the data folder. */
export const Settings = Schema.Struct({
  $schema: Schema.optionalWith(
    Schema.String.annotations({ description: "where editors find this schema", examples: [settingsSchemaUrl] }),
    {
      exact: true
    }
  ),
  address: Schema.optionalWith(
    AddressFromText.annotations({ description: "where portctl asks when PORT_SERVER_ADDR is not set" }),
    { exact: true }
  ),
  servers: Schema.optionalWith(
    Schema.Record({ key: Schema.String, value: ServerSettings })
      .annotations({
        message: () => ({ message: `servers must be an object like {"${serverAddress}": {}}`, override: false })
      })
      .pipe(
        Schema.filter(
          (servers) => {
            const bad = Object.keys(servers).find((key) => Number(localAddress.exec(key)?.[1] ?? 65_536) > 65_535)
            return bad === undefined || `servers has ${JSON.stringify(bad)}, which must be like ${serverAddress}`
          },
          {
            description: "how the servers of this machine are started, by address",
            jsonSchema: { propertyNames: { pattern: localAddress.source } }
          }
        )
      ),
    { exact: true }
  )
}).annotations({
  identifier: "Settings",
  title: settingsFile,
  description: "The settings of portctl",
  message: () => ({ message: `must be an object like {"servers": {"${serverAddress}": {}}}`, override: false }),
  ...exact
})
/** The settings of portctl. */
export type Settings = typeof Settings.Type
