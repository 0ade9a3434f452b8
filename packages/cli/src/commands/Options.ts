import * as Flag from "@port-server/command-line/command/Flag"

// The flags that need no schema, apart from the others: a short command loads only these.

/** A flag for a name; `completes` is the field of allocations whose values complete it. */
export const name = (field: "app" | "instance" | "service", description: string, variable?: string) =>
  Flag.text({
    name: field,
    placeholder: "NAME",
    description,
    completes: field,
    ...(variable === undefined ? {} : { variable })
  })

export const app = name("app", "Application name")
export const instance = name("instance", "Instance name")
export const service = name("service", "Service name")

export const onlyApp = name("app", "Only this application")
export const onlyInstance = name("instance", "Only this instance")
export const onlyService = name("service", "Only this service")

export const appFilter = onlyApp.pipe(Flag.withDefault(""))
export const instanceFilter = onlyInstance.pipe(Flag.withDefault(""))
export const serviceFilter = onlyService.pipe(Flag.withDefault(""))

export const json = Flag.boolean("json", "Print the API's response as JSON")
export const quiet = Flag.boolean("quiet", "Print the port number alone")
