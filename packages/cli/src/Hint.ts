import type { ClientError } from "./Output.ts"

/** What to do next after an error, for a person at a terminal; the commands in it can be run as they stand. */
export const hintOf = (error: ClientError): string | undefined => {
  switch (error._tag) {
    case "AllocationNotFound":
      return "portctl list shows every allocation with its id"
    case "ImportConflict":
      return `portctl why --port ${error.conflicts[0].port} tells who holds the first of them`
    case "PortTaken":
      return `portctl why --port ${error.holder.port} tells more; without a port of your choice you get a free one`
    case "RangeExhausted":
      return "portctl prune releases what is stale; port-server --range FIRST-LAST hands out others"
    case "ServerUnreachable":
      return "portctl start starts it; PORT_SERVER_ADDR says where it listens, when that is elsewhere"
    case "StorageFull":
    case "StorageUnavailable":
      return "portctl status tells which database it is"
    case "UnexpectedAnswer":
      return "portctl status tells what answers; PORT_SERVER_ADDR says where port-server listens"
    case "InvalidRequest":
      return undefined
  }
}
