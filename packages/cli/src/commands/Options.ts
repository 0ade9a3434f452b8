import * as Options from "@effect/cli/Options"
import type { Definition } from "@port-server/command-line/command/Description"
import * as Flag from "@port-server/command-line/command/Flag"
import { AllocationIdFromDigits, nameText } from "@port-server/domain/Allocation"
import { AskedServices } from "@port-server/domain/Ensure"
import { PortFromDigits, RequestedPortFromDigits } from "@port-server/domain/Port"

export const app = Flag.text("app", "NAME", "Application name")
export const instance = Flag.text("instance", "NAME", "Instance name")
export const service = Flag.text("service", "NAME", "Service name")
export const wantedPort = Flag.text("port", "PORT", "Exactly this port; 0 for the first free one (default)").pipe(
  Flag.reads(RequestedPortFromDigits),
  Options.withDefault(0)
)

export const port = Flag.text("port", "PORT", "Port number").pipe(Flag.reads(PortFromDigits))
export const id = Flag.text("id", "ID", "The allocation with this id, and no filter").pipe(
  Flag.reads(
    AllocationIdFromDigits.annotations({
      message: () => ({ message: "id must be a positive integer", override: true })
    })
  ),
  Options.optional
)

export const appFilter = Flag.text("app", "NAME", "Only this application").pipe(Options.withDefault(""))
export const instanceFilter = Flag.text("instance", "NAME", "Only this instance").pipe(Options.withDefault(""))
export const serviceFilter = Flag.text("service", "NAME", "Only this service").pipe(Options.withDefault(""))
export const portFilter = Flag.text("port", "PORT", "Only this port").pipe(
  Flag.reads(RequestedPortFromDigits),
  Options.withDefault(0)
)

/** Which instance of which app, where it is not the one of the current folder. */
export const place = {
  app: Flag.text("app", "NAME", "Application name (default: the repository's)").pipe(
    Flag.reads(nameText("app")),
    Options.optional
  ),
  instance: Flag.text("instance", "NAME", "Instance name (default: the worktree's)").pipe(
    Flag.reads(nameText("instance")),
    Options.optional
  )
}

/** The variables that say the same, for the help of verbs that have {@link place}. */
export const placeVariables: ReadonlyArray<Definition> = [
  ["PORTCTL_APP", "The app where --app does not say it"],
  ["PORTCTL_INSTANCE", "The instance where --instance does not say it"]
]

const serviceList = (description: string) =>
  Flag.list("service", "NAME[=PORT]", description).pipe(Flag.reads(AskedServices), Options.withDefault([]))

/** The services that a verb is about, each with the exact port that it asks for, where it does. */
export const services = serviceList("These services, not those of portctl.json")

/** The services that a new project file has, each with the port that it prefers, where it does. */
export const newServices = serviceList("Its services (default: web), with the ports that they prefer")

/** The services that a command needs in addition to those of the project file. */
export const moreServices = serviceList("These services too; PORT is that of the only one named")

/** The service that a verb is about. */
export const oneService = Flag.text("service", "NAME", "The service (default: the only one, or web)").pipe(
  Flag.reads(nameText("service")),
  Options.optional
)

export const json = Flag.boolean("json", "Print the API's answer as JSON")
export const quiet = Flag.boolean("quiet", "Print the port number alone")
