import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"

/** A clone, whose git directory moves with it, or a linked worktree, whose git directory stays. */
export interface Copy {
  readonly kind: "clone" | "worktree"
  /** That of a worktree. */
  readonly gitDir: string
}

/** What is remembered of a working copy. */
interface Row {
  /** The one that asked last. */
  copy: Copy
  folder: string
  home: string
  readonly instance: string
  /** Whether it came with the path, from a clone that was there before. */
  isInherited: boolean
}

/** Where working copies are, and which instance each has: the table of docs/projects.md, in a few lines. */
export class WorkingCopyModel {
  readonly root: string
  /** Apart from the other apps: its instances belong to working copies only. */
  readonly app: string
  readonly #places = new Map<string, Copy>()
  #rows: ReadonlyArray<Row> = []
  #count = 0

  constructor(root: string) {
    this.root = root
    this.app = `copied ${basename(root)}`
    mkdirSync(join(root, "git"), { recursive: true })
    writeFileSync(join(root, "git", "config"), "")
  }

  folder(place: string): string {
    return join(this.root, place)
  }

  exists(folder: string | undefined): boolean {
    return folder !== undefined && this.#places.has(folder)
  }

  gitDir(folder: string): string {
    const copy = this.#places.get(folder)
    return copy?.kind === "worktree" ? copy.gitDir : join(folder, ".git")
  }

  #isHome(home: string): boolean {
    return [...this.#places.keys()].some((folder) => this.gitDir(folder) === home)
  }

  #isLost(row: Row): boolean {
    return !this.exists(row.folder) && !this.#isHome(row.home)
  }

  make(folder: string, kind: Copy["kind"]): void {
    if (this.exists(folder)) return
    const copy = { kind, gitDir: join(this.root, "git", String(this.#count++)) }
    this.#places.set(folder, copy)
    mkdirSync(folder)
    writeFileSync(join(folder, "file"), "")
    mkdirSync(this.gitDir(folder))
  }

  remove(folder: string): void {
    if (!this.exists(folder)) return
    rmSync(this.gitDir(folder), { recursive: true })
    rmSync(folder, { recursive: true, force: true })
    this.#places.delete(folder)
  }

  /** A clone is known by its path first, so it is not moved to where another one was, nor where it has another's past. */
  move(from: string, to: string): void {
    const copy = this.#places.get(from)
    if (copy === undefined || this.exists(to)) return
    const isUnclear = this.#rows.some((row) => row.folder === to || (row.copy === copy && row.isInherited))
    if (copy.kind === "clone" && isUnclear) return
    renameSync(from, to)
    this.#places.delete(from)
    this.#places.set(to, copy)
  }

  /** Whether nothing but the order of two requests says who is who: a clone has left, and has not asked since. */
  isUnclear(folder: string): boolean {
    const living = [...this.#places.values()]
    const copy = this.#places.get(folder)
    return this.#rows.some(
      (row) => row.folder === folder && row.copy !== copy && row.copy.kind === "clone" && living.includes(row.copy)
    )
  }

  /** Who gets what when a folder asks: an instance it has had, or a new one, and the folder that it was in. */
  place(folder: string, wish: string, held: ReadonlyArray<{ readonly instance: string; readonly path?: string }>) {
    const copy = this.#places.get(folder)
    const home = this.gitDir(folder)
    const here = this.#rows.filter((row) => row.folder === folder)
    const known = here.filter((row) => row.home === home)
    const own = this.#rows.filter((row) => row.copy === copy)
    const left = here.filter((row) => !this.#isHome(row.home))
    const [found = []] = [known, own, left].filter((rows) => rows.length > 0)
    const row = found.find(({ instance }) => instance === wish) ?? found.at(-1)
    if (row !== undefined) return { row, instance: row.instance, from: row.folder, gone: found }
    const there = held.filter(({ path }) => path === folder).map(({ instance }) => instance)
    const first = there.includes(wish) ? wish : (there.at(-1) ?? wish)
    const isTaken = (instance: string) =>
      this.#rows.some((each) => each.instance === instance && !this.#isLost(each)) ||
      held.some((each) => each.instance === instance && each.path !== folder && this.exists(each.path))
    for (let number = 1; ; number++) {
      const instance = number === 1 ? first : `${wish}-${number}`
      if (isTaken(instance)) continue
      const gone = this.#rows.filter((each) => each.instance === instance)
      return { row: undefined, instance, from: folder, gone }
    }
  }

  /** Whether the ports of an instance stay behind when another one moves away from the folder. */
  isOf(instance: string, folder: string, mover: Row | undefined): boolean {
    return this.#rows.some((row) => row !== mover && row.instance === instance && row.folder === folder)
  }

  /** It was given ports. */
  remember(folder: string, { gone, instance, row }: ReturnType<WorkingCopyModel["place"]>): void {
    const copy = this.#places.get(folder)
    if (copy === undefined) return
    const isInherited =
      row !== undefined && (row.isInherited || (row.copy !== copy && row.home === this.gitDir(folder)))
    const kept = this.#rows.filter((each) => each === row || !gone.includes(each))
    const now = { copy, folder, home: this.gitDir(folder), instance, isInherited }
    this.#rows = row === undefined ? [...kept, now] : kept.map((each) => (each === row ? now : each))
  }
}
