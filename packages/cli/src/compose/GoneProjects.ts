import { existsSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { cannotWrite } from "../errors/FileError.ts"
import * as ComposeProjects from "./ComposeProjects.ts"

const isGone = (folder: string): boolean => !existsSync(folder) && existsSync(dirname(folder))

/**
 * Forget the projects whose folder or working copy is gone and its parent is not, for a disk may be away; a sentence each.
 *
 * @param folders of working copies that have ports: they, and what was moved there, are not gone
 */
export const forget = (folders: ReadonlyArray<string>, isDryRun: boolean): ReadonlyArray<string> =>
  ComposeProjects.seenIn(folders)
    .filter(({ copy, folder }) => isGone(folder) || (folder.startsWith(`${copy}/`) && isGone(copy)))
    .filter(({ copy, folder }) => !folders.includes(copy) && !folders.includes(folder))
    .map(({ file, folder, name }) => {
      const project = `the Compose project ${name} of ${folder}, which is gone`
      if (isDryRun) return `would forget ${project}`
      try {
        rmSync(file, { force: true })
        return `forgot ${project}`
      } catch (error) {
        return `cannot forget ${project}: ${cannotWrite(file, error)}`
      }
    })
