import * as Predicate from "effect/Predicate"
import { commonResponses, errorSchema } from "./CommonResponses.ts"

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => Predicate.isRecord(value)

const mapValues = (object: unknown, change: (value: unknown) => unknown): Record<string, unknown> =>
  isObject(object) ? Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)])) : {}

const reference = "#/components/schemas/"

/** The platform's own name for a request that does not decode; this server answers `InvalidRequest` then. */
const decodeError = `${reference}HttpApiDecodeError`

/** A key that is never there: our client tells errors of one status apart by it. */
const isNever = (schema: unknown): boolean => isObject(schema) && schema["$id"] === "/schemas/never"

/** A part without what the platform adds: its own error, keys that are never there, and an `$id` in many places. */
const without = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(without)
  if (!isObject(value)) return value
  const { anyOf } = value
  if (Array.isArray(anyOf)) {
    const kept: ReadonlyArray<unknown> = anyOf.filter((schema) => !(isObject(schema) && schema["$ref"] === decodeError))
    if (kept.length === 1) return without(kept[0])
    if (kept.length < anyOf.length) return { ...value, anyOf: kept.map(without) }
  }
  const kept = Object.entries(value).filter(([key, inner]) => key !== "$id" && !isNever(inner))
  return Object.fromEntries(kept.map(([key, inner]) => [key, without(inner)]))
}

/** A schema that permits further keys, also in what is in it. */
const open = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(open)
  if (!isObject(value)) return value
  const { additionalProperties, ...others } = value
  return mapValues(additionalProperties === false ? others : value, open)
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
 * An OpenAPI document as this server is: without what the platform adds, with the errors that a request may get before
 * its endpoint sees it. Requests are closed, as the server refuses unknown fields; responses are open, as keys are added.
 */
export const asAnswered = (document: Json): Record<string, unknown> => {
  const components = isObject(document["components"]) ? document["components"] : {}
  const all = isObject(components["schemas"]) ? components["schemas"] : {}
  const requested = new Set<string>()
  const paths = mapValues(without(document["paths"]), (operations) =>
    mapValues(operations, (operation) => {
      if (!isObject(operation)) return operation
      referred(operation["requestBody"], all, requested)
      const responses = { ...commonResponses("requestBody" in operation), ...mapValues(operation["responses"], open) }
      return { ...operation, responses }
    })
  )
  const used = referred(paths, all)
  const schemas = Object.entries(all)
    .filter(([name]) => used.has(name))
    .map(([name, schema]) => [name, requested.has(name) ? without(schema) : open(without(schema))])
  // A page would offer to log in where there are security schemes, if only none.
  return { ...document, paths, components: { schemas: { ...Object.fromEntries(schemas), ...errorSchema } } }
}
