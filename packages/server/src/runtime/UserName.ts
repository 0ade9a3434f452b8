import { userInfo } from "node:os"

/** The name of the user of this process, or the number of one that the system has no entry for. */
export const userName = (): string => {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 0)
  }
}
