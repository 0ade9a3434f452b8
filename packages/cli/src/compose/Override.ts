import type { ComposeModel } from "./ComposeModel.ts"
import { shortForm } from "./PodmanModel.ts"
import { type Published, rangeText, type Wanted } from "./PublishedPorts.ts"

/** The port of a service with another number. */
const portOf = ({ mapped, port }: Published, firsts: ReadonlyMap<Wanted, number>) => {
  if (typeof mapped === "string") return port
  const first = firsts.get(mapped.wanted)
  return first === undefined ? port : { ...port, published: rangeText(first + mapped.offset, mapped.count) }
}

/**
 * What Compose reads after the project's own files: the ports of services whose numbers differ, and the name of the
 * project. In another working copy than the first one, containers have no fixed names. Dollar signs are doubled in the
 * model already.
 */
export const overrideOf = (
  {
    firsts,
    model,
    published
  }: {
    readonly model: ComposeModel
    readonly published: ReadonlyArray<Published>
    readonly firsts: ReadonlyMap<Wanted, number>
  },
  { isFirst, isPodman, name }: { readonly name: string; readonly isFirst: boolean; readonly isPodman: boolean }
): string => {
  const changed = Object.entries(model.services).flatMap(([service, { container_name }]) => {
    const own = published.filter((each) => each.service === service)
    const ports = own.map((each) => portOf(each, firsts))
    const isChanged = ports.some(({ published }, index) => published !== own[index]?.port.published)
    const fields = [
      ...(container_name === undefined || isFirst ? [] : ["container_name: !reset null"]),
      ...(isChanged ? [`ports: !override ${JSON.stringify(isPodman ? ports.map(shortForm) : ports)}`] : [])
    ]
    return fields.length === 0 ? [] : [`  ${JSON.stringify(service)}: {${fields.join(", ")}}`]
  })
  return [`name: ${name}`, ...(changed.length === 0 ? [] : ["services:", ...changed]), ""].join("\n")
}
