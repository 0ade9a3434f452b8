import { serverAddress } from "@port-server/domain/Defaults"
import type { ClientError } from "../errors/CliError.ts"

/** What to do next after an error, for a person at a terminal; the commands in it can be run as they stand. */
export const hintOf = (error: ClientError): string | undefined => {
  switch (error._tag) {
    case "AllocationNotFound":
      return "portctl list shows every allocation with its id"
    case "ImportConflict":
      return `portctl why --port ${error.conflicts[0].port} shows who holds the first of them`
    case "InstanceTaken":
      return `--instance ${error.instance} shares the ports`
    case "PortTaken":
      return `portctl why --port ${error.holder.port}, or leave the port out for a free one`
    case "RangeExhausted":
      return "portctl prune, or a wider range: portctl restart --range FIRST-LAST"
    case "ServerUnreachable":
      if (error.isCutOff || error.code === undefined) return "portctl status shows what listens there"
      return error.address === serverAddress
        ? "if it listens at another address, set PORT_SERVER_ADDR to that"
        : `PORT_SERVER_ADDR=${serverAddress} asks at the default address`
    case "StorageFull":
    case "StorageUnavailable":
      return "portctl status shows which database it is"
    case "UnexpectedResponse":
      return "portctl status, or set PORT_SERVER_ADDR to where port-server listens"
    case "InvalidRequest":
    case "ListenersUnavailable":
      return undefined
  }
}
