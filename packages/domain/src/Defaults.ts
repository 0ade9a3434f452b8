/**
 * What both programs assume when nothing else was said. Source: the table "Settings" in docs/daemon.md.
 */

/** The version that both programs report and the API document carries; the same as in `package.json`. */
export const version = "0.1.0"

/** TCP port that port-server listens on. */
export const serverPort = 51234

/** Host that port-server binds and that clients connect to: loopback only. */
export const serverHost = "127.0.0.1"

/** `host:port` that clients connect to. */
export const serverAddress = `${serverHost}:${serverPort}`

/** First and last port, both included, that auto-assignment hands out. */
export const portRange = { first: 3000, last: 9999 }

/** Folder of the database and the logs, below the user's home. */
export const dataFolder = ".port_server"

/** Name of the database file in {@link dataFolder}. */
export const databaseFile = "ports.db"

/** Name of the file that says which services a project has. */
export const projectFileName = "portctl.json"

/** Name of the file with portctl's settings in {@link dataFolder}. */
export const settingsFile = "config.json"
