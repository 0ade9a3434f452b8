/** How long a file system may take to respond, in ms. */
export const patience = 1_000

/**
 * The program of the child process. It is passed to it as text, so it must use nothing from outside its own body. A
 * message is an id and paths, separated by NUL; the reply has a state for each path, fewer after a second or a hang.
 */
const probeFolders = (patience: number): void => {
  const { opendir, readFile, realpath, stat } = process.getBuiltinModule("node:fs/promises")
  const { basename, dirname, relative, resolve } = process.getBuiltinModule("node:path")
  /** Paths probed at a time: bounds how many threads of this process one file system can hold. */
  const width = 4

  const codeOf = (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : "unknown error")
  const isAbsent = (error: unknown) => ["ENOENT", "ENOTDIR"].includes(codeOf(error))

  const isEmpty = async (path: string) => {
    try {
      const folder = await opendir(path)
      const first = await folder.read()
      await folder.close()
      return first === null
    } catch {
      return true
    }
  }

  /** What is known of a parent folder, or of the nearest folder above it that is there. */
  const probeParent = async (parent: string) => {
    for (let folder = parent; ; folder = dirname(folder)) {
      try {
        const device = String((await stat(folder, { bigint: true })).dev)
        const hasParent = folder === parent
        return { hasParent, isParentEmpty: hasParent && (await isEmpty(folder)), device }
      } catch (error) {
        if (!isAbsent(error) || folder === dirname(folder)) throw error
      }
    }
  }

  /** The text of a file, empty where there is none; a pipe or a device would be waited for. */
  const textOf = async (path: string) => {
    const status = await stat(path).catch(() => undefined)
    return status?.isFile() && status.size <= 65_536 ? await readFile(path, "utf8").catch(() => "") : ""
  }

  /** Whether a folder above names a folder as its submodule. */
  const isNamedAbove = async (folder: string) => {
    for (let above = dirname(folder); ; above = dirname(above)) {
      const lines = (await textOf(resolve(above, ".gitmodules"))).split("\n")
      const paths = lines.flatMap((line) => /^\s*path\s*=\s*"?(.*?)"?\s*$/.exec(line)?.[1] ?? [])
      if (paths.includes(relative(above, folder))) return true
      if (above === dirname(above)) return false
    }
  }

  /**
   * Whether a `.git` is a submodule's: a file that leads to a git directory which names its worktree, or, where it is the
   * git directory itself, of a folder that one above names.
   */
  const isSubmodule = async (path: string) => {
    const [, folder] = /^gitdir: (.+)$/m.exec(await textOf(path)) ?? []
    if (folder === undefined) return isNamedAbove(dirname(path))
    const files = ["config", "config.worktree"].map((name) => textOf(resolve(dirname(path), folder, name)))
    return (await Promise.all(files)).some((text) => /^\s*worktree\s*=/m.test(text))
  }

  /** The branch that the `HEAD` of a git directory names; with reftable, git writes `.invalid` there. */
  const branchOf = async (path: string) => {
    const [, branch] = /^ref: refs\/heads\/([^\n]+)/.exec(await textOf(path)) ?? []
    return branch === undefined || branch === ".invalid" ? {} : { branch }
  }

  /** The folder of the linked worktree whose git directory has this `gitdir`. */
  const worktreeOf = async (path: string) => {
    const [, folder] = /^([^\n]+)\/\.git\n?$/.exec(await textOf(path)) ?? []
    return folder === undefined ? {} : { worktree: resolve(dirname(path), folder) }
  }

  /** The number of an inode is given again to another folder; together with its time of birth it is not. */
  const identify = async (path: string) => {
    const { birthtimeNs, ino } = await stat(path, { bigint: true })
    return birthtimeNs === 0n ? "" : `${ino}:${birthtimeNs}`
  }

  const probe = async (path: string, parentOf: (path: string) => ReturnType<typeof probeParent>) => {
    try {
      const real = await realpath(path).catch((error: unknown) => {
        if (!isAbsent(error)) throw error
      })
      const parent = await parentOf(path)
      if (real === undefined) return { _tag: "Absent", ...parent }
      const found = { _tag: "Present", real, device: parent.device, id: await identify(real) }
      if (basename(path) === "HEAD") return { ...found, ...(await branchOf(path)) }
      if (basename(path) === "gitdir") return { ...found, ...(await worktreeOf(path)) }
      return basename(path) === ".git" ? { ...found, isSubmodule: await isSubmodule(path) } : found
    } catch (error) {
      return { _tag: "Unknown", reason: codeOf(error) }
    }
  }

  const inTime = (path: string, parentOf: Parameters<typeof probe>[1]) =>
    new Promise<{ readonly _tag: string }>((resolve) => {
      // After the turn in which the timer fires: on a busy machine the result may have arrived as well.
      const timer = setTimeout(() => setImmediate(() => resolve({ _tag: "Hanging" })), patience)
      void probe(path, parentOf).then((state) => {
        clearTimeout(timer)
        resolve(state)
      })
    })

  process.on("message", async (message) => {
    const [id, ...paths] = String(message).split("\0")
    const states: Array<{ readonly _tag: string }> = []
    const parents = new Map<string, ReturnType<typeof probeParent>>()
    const parentOf = (path: string) => {
      const folder = dirname(path)
      const known = parents.get(folder) ?? probeParent(folder)
      parents.set(folder, known)
      return known
    }
    const end = performance.now() + patience
    do {
      const next = paths.slice(states.length, states.length + width)
      states.push(...(await Promise.all(next.map((path) => inTime(path, parentOf)))))
    } while (states.length < paths.length && performance.now() < end && states.every(({ _tag }) => _tag !== "Hanging"))
    process.send?.({ id, states })
  })

  // Not exit(), which waits for threads that hang.
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"))
}

/** The program as text, for `node -e`. */
export const source = `(${probeFolders.toString()})(${patience})`
