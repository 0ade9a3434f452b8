import { errorCode, fileReason } from "@port-server/domain/SystemError"

/** The code of an error of Node's, such as `ENOENT`; empty where it has none. */
export const codeOf = errorCode

const reasonOf = (error: unknown): string => fileReason(error) ?? "it cannot be opened"

/** Why a file cannot be read, in a sentence that names it. */
export const cannotRead = (file: string, error: unknown): string =>
  `cannot read ${JSON.stringify(file)}: ${reasonOf(error)}`

/** Why a file cannot be written, in a sentence that names it. */
export const cannotWrite = (file: string, error: unknown): string =>
  codeOf(error) === "ENOENT"
    ? `cannot write ${JSON.stringify(file)}: there is no such folder`
    : `cannot write ${JSON.stringify(file)}: ${reasonOf(error)}`

/** Why a folder cannot be made, in a sentence that names it. */
export const cannotMake = (folder: string, error: unknown): string =>
  codeOf(error) === "ENOENT"
    ? `cannot make the folder ${folder}: the folder that it would be in does not exist`
    : `cannot make the folder ${folder}: ${fileReason(error) ?? "it cannot be opened"}`
