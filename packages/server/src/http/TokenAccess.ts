import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { accessToken, TokenUnusable, tokenFile, tokenVariable } from "@port-server/domain/AccessToken"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { link } from "../runtime/SecondName.ts"
import * as SystemError from "../runtime/SystemError.ts"
import type { Access } from "./RequestGuard.ts"

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Make the file with a new token of 256 bits; one that another server makes at this moment counts. */
const makeToken = Effect.gen(function* () {
  const file = tokenFile()
  if (file === undefined) {
    return yield* new TokenUnusable({ message: `there is no home folder for a token: set HOME, or ${tokenVariable}` })
  }
  const whole = `${file}.${process.pid}`
  yield* Effect.try({
    try: () => {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      writeFileSync(whole, `${randomBytes(32).toString("base64url")}\n`, { flag: "wx", mode: 0o600 })
      try {
        link(whole, file)
      } finally {
        rmSync(whole, { force: true })
      }
    },
    catch: (error) =>
      new TokenUnusable({ message: `cannot make a token in ${file}: ${SystemError.errorReason(error)}` })
  })
})

/** Who may ask for hosts that are not this machine; without any, no token is read or made. */
export const tokenAccess = (
  hosts: ReadonlyArray<string>
): Effect.Effect<Pick<Access, "needsToken" | "isToken">, TokenUnusable> =>
  Effect.gen(function* () {
    if (hosts.length === 0) return { needsToken: () => false, isToken: () => false }
    const known = yield* Effect.flatMap(
      accessToken,
      Option.match({
        onSome: Effect.succeedSome,
        onNone: () => Effect.zipRight(makeToken, accessToken)
      })
    )
    const token = yield* Effect.mapError(known, () => new TokenUnusable({ message: `there is no ${tokenVariable}` }))
    const expected = digest(token)
    const names = new Set(hosts.map((host) => host.toLowerCase()))
    return {
      needsToken: (name: string) => names.has(name.toLowerCase()),
      // Of two digests, which have one length: the comparison takes as long whatever was sent.
      isToken: (text: string) => timingSafeEqual(digest(text), expected)
    }
  })
