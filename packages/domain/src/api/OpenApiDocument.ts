import * as Predicate from "effect/Predicate"

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => Predicate.isRecord(value)

const reference = "#/components/schemas/"

/** The platform's own name for a request that does not decode; this server answers `InvalidRequest` then. */
const decodeError = `${reference}HttpApiDecodeError`

const without = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(without)
  if (!isObject(value)) return value
  const { anyOf } = value
  if (Array.isArray(anyOf)) {
    const kept: ReadonlyArray<unknown> = anyOf.filter((schema) => !(isObject(schema) && schema["$ref"] === decodeError))
    if (kept.length === 1) return without(kept[0])
    if (kept.length < anyOf.length) return { ...value, anyOf: kept.map(without) }
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, without(inner)]))
}

/** The names of the schemas that a part of the document refers to, and of those that these refer to. */
const referred = (part: unknown, schemas: Json, found = new Set<string>()): Set<string> => {
  if (Array.isArray(part)) for (const inner of part) referred(inner, schemas, found)
  else if (isObject(part)) {
    for (const [key, inner] of Object.entries(part)) {
      if (key !== "$ref" || typeof inner !== "string") referred(inner, schemas, found)
      else if (!found.has(inner.slice(reference.length))) {
        found.add(inner.slice(reference.length))
        referred(schemas[inner.slice(reference.length)], schemas, found)
      }
    }
  }
  return found
}

/**
 * An OpenAPI document without what the platform adds and this server does not have: an error of every endpoint, and
 * security schemes.
 */
export const asAnswered = (document: Json): Record<string, unknown> => {
  const paths = without(document["paths"])
  const components = isObject(document["components"]) ? document["components"] : {}
  const all = isObject(components["schemas"]) ? components["schemas"] : {}
  const used = referred(paths, all)
  const schemas = Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name)))
  // A page would offer to log in where there are security schemes, if only none.
  return { ...document, paths, components: { schemas } }
}
