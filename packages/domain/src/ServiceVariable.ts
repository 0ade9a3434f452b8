/** The variable that carries a service's port where nothing else was said: `WEB_PORT` for `web`. */
export const variableOf = (service: string): string =>
  `${service.replace(/[^A-Za-z0-9_]/gu, "_").toUpperCase()}_PORT`.replace(/^(?=[0-9])/, "_")
