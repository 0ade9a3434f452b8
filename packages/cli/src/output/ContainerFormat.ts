import { shellWord } from "@port-server/command-line/command/ShellWord"
import type { PortStatus } from "@port-server/domain/api/Results"
import type { Container } from "@port-server/domain/Container"
import { idleState } from "@port-server/domain/ContainerState"
import { isEngineProgram } from "@port-server/domain/EngineProgram"
import type { Listener, Reservation } from "@port-server/domain/Listener"
import { escapeControls } from "@port-server/domain/Name"

/** A container in a table: `shop-db-1 (postgres:17)`. */
export const shortName = ({ image, name }: Container): string => escapeControls(`${name} (${image})`)

/** A container in a sentence: `shop-db-1 (postgres:17, Compose project shop)`. */
export const fullName = ({ image, name, project }: Container): string =>
  escapeControls(`${name} (${image}${project === undefined ? "" : `, Compose project ${project}`})`)

/** Whose a container is: the rest of a sentence about it. */
export const whose = ({ folder }: Container): string =>
  folder === undefined ? "is not of a Compose project" : `is of the Compose project in ${escapeControls(folder)}`

const command = ({ engine, name }: Container, verb: string): string =>
  `${engine ?? "docker"} ${verb} ${shellWord(name)}`

/** The command that stops a container. */
export const stopCommand = (container: Container): string => command(container, "stop")

/** The command that removes a stopped container. */
export const removeCommand = (container: Container): string => command(container, "rm")

const idleVerbs = { stopped: "is stopped", restarting: "restarts again and again" } as const

/** That a stopped container publishes a port: `shop-db-1 (postgres:17) is stopped and publishes port 5432`. */
export const reserves = ({ container, others }: Reservation, port: string): string =>
  `${fullName(container)} ${idleVerbs[idleState(container)]} and publishes ${port}${others === undefined ? "" : `, as ${others} more do`}`

/** A note on a port that is given to somebody else than the stopped container that publishes it. */
export const reservationNote = (reservation: Reservation, port: number): string =>
  `note: ${reserves(reservation, `port ${port}`)}; it cannot be started while another program has the port`

/** Why it is not known which container a process listens for; none where it listens for itself. */
export const unknownContainer = (
  { command, container }: Listener,
  container_error: string | undefined
): string | undefined =>
  container === undefined && container_error !== undefined && (command === undefined || isEngineProgram(command))
    ? `${escapeControls(container_error)} (see portctl doctor)`
    : undefined

/** That it is not known whether a stopped container publishes a port on which nothing is. */
export const unknownReservation = ({ container_error, listeners, reserved }: PortStatus): string | undefined =>
  container_error === undefined || reserved !== undefined || listeners !== undefined
    ? undefined
    : `whether a stopped container publishes it is unknown: ${escapeControls(container_error)} (see portctl doctor)`
