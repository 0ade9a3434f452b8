import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { dataFolder } from "./Defaults.ts"
import { sentenceOf, variable } from "./EnvConfig.ts"
import { errorCode, fileReason } from "./SystemError.ts"

/** The header with the token, which a request needs whose Host is allowed and is not this machine. */
export const tokenHeader = "Port-Server-Token"

/** The variable with the token. */
export const tokenVariable = "PORT_SERVER_TOKEN"

const form = /^[!-~]{32,512}$/

const formMessage = "must have 32 to 512 visible ASCII characters without spaces, as openssl rand -hex 32 prints them"

/** A token: 32 characters carry 128 bits also where they are hexadecimal digits. */
const Token = Schema.String.pipe(Schema.filter((text) => form.test(text) || `the token ${formMessage}`))

/** The token cannot be used; `message` says where it is, and never what it is. */
export class TokenUnusable extends Data.TaggedError("TokenUnusable")<{ readonly message: string }> {}

/** Path of the file with the token, in the user's data folder; undefined for a user without a home. */
export const tokenFile = (): string | undefined => {
  try {
    const home = homedir()
    return home === "" ? undefined : join(home, dataFolder, "token")
  } catch {
    return undefined
  }
}

/** Largest file that is read, in bytes. */
const maxFile = 4_096

const readFile = (file: string): Effect.Effect<Option.Option<string>, TokenUnusable> =>
  Effect.suspend(() => {
    const failed = (reason: string) => new TokenUnusable({ message: `cannot use the token in ${file}: ${reason}` })
    let descriptor: number
    try {
      descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch (error) {
      if (["ENOENT", "ENOTDIR"].includes(errorCode(error))) return Effect.succeed(Option.none())
      return failed(
        errorCode(error) === "ELOOP" ? "it is a symbolic link" : (fileReason(error) ?? "it cannot be opened")
      )
    }
    try {
      const status = fstatSync(descriptor)
      const uid = process.getuid?.()
      if (!status.isFile() || status.size > maxFile) return failed("it is not a file with a token")
      if (uid !== undefined && uid !== 0 && status.uid !== uid) return failed("it belongs to another user")
      if ((status.mode & 0o077) !== 0) return failed("others than its owner may open it; chmod 600 mends that")
      const text = readFileSync(descriptor, "utf8").trim()
      return form.test(text) ? Effect.succeed(Option.some(text)) : failed(`it ${formMessage}`)
    } catch (error) {
      return failed(fileReason(error) ?? "it cannot be read")
    } finally {
      closeSync(descriptor)
    }
  })

/** The token: `PORT_SERVER_TOKEN`, else what the file has that only its owner can open; none where there is neither. */
export const accessToken: Effect.Effect<Option.Option<string>, TokenUnusable> = Effect.gen(function* () {
  const given = yield* Effect.mapError(
    variable(tokenVariable, Token, ""),
    (error) => new TokenUnusable({ message: sentenceOf(error) })
  )
  if (given !== "") return Option.some(given)
  const file = tokenFile()
  return file === undefined ? Option.none() : yield* readFile(file)
})
