import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import type { ServicePort } from "./ComposeModel.ts"

/** Numbers from one to another: `8000-8002`. */
const numbers = (range: string): ReadonlyArray<number> => {
  const [from = 0, to = from] = range.split("-").map(Number)
  return Array.from({ length: Math.max(1, to - from + 1) }, (_, index) => from + index)
}

/** A port in its short form, `127.0.0.1:8000-8001:80-81/udp`, as Docker Compose writes it out in the long one. */
const longForms = (text: string): ReadonlyArray<object> => {
  const [, host_ip, published = "", target = "", protocol = "tcp"] =
    /^(?:(?:\[?([^\]]*?)\]?:)?([\d-]*):)?([\d-]+)(?:\/(\w+))?$/.exec(text) ?? []
  const common = { mode: "ingress", ...(host_ip === undefined ? {} : { host_ip }) }
  const [targets, hosts] = [numbers(target), published === "" ? [] : numbers(published)]
  return targets.map((target, index) => ({
    ...common,
    target,
    ...(published === "" ? {} : { published: targets.length === hosts.length ? String(hosts[index]) : published }),
    protocol
  }))
}

const longForm = (port: unknown): ReadonlyArray<unknown> => {
  if (!Predicate.isRecord(port)) return longForms(String(port))
  const { published, target } = port
  const numbers = { target: Number(target), ...(published ? { published: String(published) } : {}) }
  return [{ mode: "ingress", protocol: "tcp", ...port, ...numbers }]
}

const withLongForms = (service: unknown): unknown =>
  Predicate.hasProperty(service, "ports") && Array.isArray(service.ports)
    ? { ...service, ports: service.ports.flatMap(longForm) }
    : service

/**
 * What `podman-compose config` prints, in the form of Docker Compose's JSON: it is YAML, its ports are as in the files, and
 * the name is only there where a file gives it.
 *
 * @param names what the user says that it is called, and what it is called otherwise
 */
export const toJson = async (
  yaml: string,
  { said, usual }: { readonly said: string | undefined; readonly usual: string }
): Promise<string> => {
  const { parse } = await import("yaml")
  const model: unknown = parse(yaml)
  const services = Predicate.hasProperty(model, "services") && Predicate.isRecord(model.services) ? model.services : {}
  return JSON.stringify({
    name: usual,
    ...Object(model),
    ...(said ? { name: said } : {}),
    services: Record.map(services, withLongForms)
  })
}

/** A port in its short form: podman-compose replaces lists of text alone. */
export const shortForm = ({ host_ip, protocol = "tcp", published = "", target }: ServicePort): string => {
  const address =
    typeof host_ip === "string" && host_ip !== "" ? `${host_ip.includes(":") ? `[${host_ip}]` : host_ip}:` : ""
  return `${address}${published === "" && address === "" ? "" : `${published}:`}${target}/${protocol}`
}
