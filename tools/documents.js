// What port-server answers beside its API: the description of the API, a page that shows it, a schema for editors.
import { writeFileSync } from "node:fs"

// By its place, for the package keeps it to itself.
const swagger = new URL("../node_modules/@effect/platform/dist/esm/internal/httpApiSwagger.js", import.meta.url).href

// The platform carries Swagger UI for a page with everything inline; in files of their own, a content security policy
// can tell its scripts from others.
const page = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>port-server</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
  <p style="max-width: 1460px; margin: 12px auto 0; padding: 0 20px; font: 15px sans-serif"><a href="/">The ports of this machine</a></p>
  <div id="api"></div>
  <script src="/docs/swagger-ui.js"></script>
</body>
</html>
`
const start = 'SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null })'

/** @param {string} text */
const withoutMap = (text) => text.replace(/\n\/[/*]# sourceMappingURL=.*\s*$/, "\n")

/** Write the documents into a folder, from the packages as they are compiled. @param {string} folder */
export const writeDocuments = async (folder) => {
  /** @type {{ css: string, javascript: string }} */
  const { css, javascript } = await import(swagger)
  const OpenApi = await import("@effect/platform/OpenApi")
  const { PortServerApi } = await import("@port-server/domain/api/PortServerApi")
  const { projectFileSchemaText } = await import("@port-server/domain/ProjectFileJsonSchema")
  const { settingsSchemaText } = await import("@port-server/domain/SettingsJsonSchema")
  writeFileSync(`${folder}/openapi.json`, `${JSON.stringify(OpenApi.fromApi(PortServerApi), undefined, 2)}\n`)
  writeFileSync(`${folder}/portctl.schema.json`, projectFileSchemaText())
  writeFileSync(`${folder}/config.schema.json`, settingsSchemaText())
  writeFileSync(`${folder}/docs.html`, page)
  writeFileSync(`${folder}/swagger-ui.js`, `${withoutMap(javascript)}\n${start}\n`)
  writeFileSync(`${folder}/swagger-ui.css`, withoutMap(css))
}
