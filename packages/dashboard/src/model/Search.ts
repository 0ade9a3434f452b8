import { type PortState, portStates } from "./PortState.ts"
import type { ListeningPort, Socket } from "./Types.ts"
import { isInTrouble, type Service, type WorkingCopy } from "./WorkingCopies.ts"

/** Which ports are shown by their state. */
export type StateFilter = "all" | "problems" | "running" | "idle"

const states: Readonly<Record<Exclude<StateFilter, "problems">, ReadonlySet<PortState>>> = {
  all: new Set(portStates),
  running: new Set(["foreign", "unknown", "listening", "container"]),
  idle: new Set(["idle"])
}

/** Whether a service is one of those that the filter shows. */
export const isIn = (filter: StateFilter, service: Service): boolean =>
  filter === "problems" ? isInTrouble(service) : states[filter].has(service.state)

/** The words of a search, each of which must be found. */
export const wordsOf = (query: string): ReadonlyArray<string> =>
  query
    .toLocaleLowerCase()
    .split(/[\s/]+/)
    .filter((word) => word !== "")

/** Whether each of the words is somewhere in the texts. */
export const matches = (words: ReadonlyArray<string>, texts: ReadonlyArray<string | number | undefined>): boolean => {
  if (words.length === 0) return true
  const text = texts.join("\n").toLocaleLowerCase()
  return words.every((word) => text.includes(word))
}

const containerTexts = ({ restarting: _restarting, ...texts }: NonNullable<Socket["container"]>) => Object.values(texts)

const socketTexts = ({ command, container, cwd, pid, user }: Socket) => [
  command,
  cwd,
  pid,
  user,
  ...(container === undefined ? [] : containerTexts(container))
]

/** Whether the words are found in a port that is not allocated. */
export const matchesListening = (words: ReadonlyArray<string>, { port, listeners = [] }: ListeningPort): boolean =>
  matches(words, [port, ...listeners.flatMap(socketTexts)])

/** The working copies with those of their services that the search and the filter leave. */
export const narrowed = (
  copies: ReadonlyArray<WorkingCopy>,
  query: string,
  filter: StateFilter
): ReadonlyArray<WorkingCopy> => {
  const words = wordsOf(query)
  if (words.length === 0 && filter === "all") return copies
  return copies.flatMap((copy) => {
    const place = [copy.app, copy.instance, copy.folder]
    const found = (service: Service) => {
      const { allocation, sockets, state } = service
      return (
        isIn(filter, service) &&
        matches(words, [...place, allocation.service, allocation.port, state, ...sockets.flatMap(socketTexts)])
      )
    }
    const services = copy.services.filter(found)
    return services.length === 0 ? [] : [services.length === copy.services.length ? copy : { ...copy, services }]
  })
}
