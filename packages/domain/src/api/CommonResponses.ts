/** The schema of an error that is its sentence alone, by its name in an OpenAPI document. */
export const errorSchema = {
  ErrorBody: {
    type: "object",
    required: ["error"],
    properties: { error: { type: "string", description: "one sentence for a person" } }
  }
}

const response = (description: string) => ({
  description,
  content: { "application/json": { schema: { $ref: "#/components/schemas/ErrorBody" } } }
})

const always = {
  403: response("the Host is not this machine, or lacks its token; or the request comes from another web origin"),
  408: response("the request did not come to its end in time"),
  417: response("an Expect other than 100-continue"),
  426: response("a request to upgrade the connection"),
  431: response("the headers are too large"),
  500: response("a defect in the server; details are in its log")
}

const withBody = { ...always, 413: response("the body is too large") }

/** The responses that every operation may give before its endpoint sees the request, or if it fails. */
export const commonResponses = (hasBody: boolean) => (hasBody ? withBody : always)
