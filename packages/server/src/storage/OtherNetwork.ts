import { readdirSync, readFileSync, readlinkSync, realpathSync, statfsSync, statSync } from "node:fs"
import { basename } from "node:path"
import { errorCode } from "@port-server/domain/SystemError"
import * as Effect from "effect/Effect"
import { fileId, unusable } from "./DatabaseFile.ts"
import { run } from "./Query.ts"
import { connect } from "./SqliteConnection.ts"

const tryOr = <A, B>(read: () => A, otherwise: B): A | B => {
  try {
    return read()
  } catch {
    return otherwise
  }
}

const networkOf = (process: string): string | undefined =>
  tryOr(() => readlinkSync(`/proc/${process}/ns/net`), undefined)

/** Where the two numbers of one file may differ (https://docs.kernel.org/filesystems/overlayfs.html#inode-properties). */
const overlayfs = 0x794c7630

/** The inode of a descriptor as the kernel itself knows it, since Linux 5.14: no file system is asked, which may hang. */
const inodeOf = (process: string, descriptor: string): string | undefined =>
  /^ino:\s*(\d+)$/m.exec(tryOr(() => readFileSync(`/proc/${process}/fdinfo/${descriptor}`, "latin1"), ""))?.[1]

const hasOpen = (process: string, file: string): boolean => {
  const id = fileId(file)
  const inode = tryOr(() => statfsSync(file).type, overlayfs) === overlayfs ? undefined : id?.split(":")[1]
  const end = `/${basename(tryOr(() => realpathSync(file), file))}`
  return tryOr(() => readdirSync(`/proc/${process}/fd`), []).some((descriptor) => {
    const link = `/proc/${process}/fd/${descriptor}`
    // Its path is that of its own mounts. Only the name is compared before the file itself.
    if (!tryOr(() => readlinkSync(link), "").endsWith(end)) return false
    if (inode !== undefined && (inodeOf(process, descriptor) ?? inode) !== inode) return false
    const found = tryOr(() => statSync(link), undefined)
    return found !== undefined && `${found.dev}:${found.ino}` === id
  })
}

/** The networks of the other processes that have the file open, as far as this user can see them. */
const networksOf = (file: string): ReadonlyArray<string | undefined> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && hasOpen(name, file))
    .map(networkOf)

/** Whether another process, in any container, has the database open: then SQLite refuses an exclusive lock. */
const isUsed = (filename: string) =>
  Effect.flatMap(connect(filename, { exclusive: true }), (connection) =>
    run(connection, "SELECT 1 FROM sqlite_master")
  ).pipe(
    Effect.scoped,
    Effect.as(false),
    // Other errors are those of opening it.
    Effect.catchAll((error) => Effect.succeed(errorCode(error).startsWith("SQLITE_BUSY")))
  )

/**
 * Fails when another process has the database open and is in another network namespace, or is not to be seen at all, as in
 * a container: two servers with one database would each see only the ports of its own network.
 */
export const refuseOtherNetwork = Effect.fnUntraced(function* (filename: string) {
  // SQLite makes this file while a database is open; it is left behind only by a crash.
  if (process.platform !== "linux" || fileId(`${filename}-shm`) === undefined) return
  const own = networkOf("self")
  const networks = networksOf(filename)
  if (networks.includes(own)) return
  if (networks.length === 0 && !(yield* isUsed(filename))) return
  // One of this network may have opened it meanwhile.
  if (networksOf(filename).includes(own)) return
  return yield* unusable(
    filename,
    "it is used by a program in another network namespace or container, or of another user, which sees other ports than a server here would; run portctl where that one runs, or use another database (--db FILE or PORT_SERVER_DB)"
  )
})
