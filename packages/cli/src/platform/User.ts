import { userInfo } from "node:os"

const uid = process.getuid?.()

const sudoNumber = (variable: string): number | undefined =>
  uid === 0 && /^[1-9][0-9]*$/.test(process.env[variable] ?? "") ? Number(process.env[variable]) : undefined

/** The number of the user who called `sudo`, for a program that is root by it. */
export const sudoUid = sudoNumber("SUDO_UID")

/** The same of that user's group. */
export const sudoGid = sudoNumber("SUDO_GID")

/** Whether a user is the one of this program, or the one who called `sudo`. */
export const isOwnUid = (other: number): boolean => uid === undefined || other === uid || other === sudoUid

const ownName = (): string => {
  try {
    return userInfo().username
  } catch {
    // The system has no entry for the user.
    return String(uid)
  }
}

/** {@link isOwnUid}, by name. */
export const isOwnName = (name: string): boolean =>
  name === ownName() || (sudoUid !== undefined && name === process.env["SUDO_USER"])
