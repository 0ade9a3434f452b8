import { expect } from "@effect/vitest"
import type { Allocation } from "@port-server/domain/Allocation"

/** What was asked for and never answered: it may have happened or not. */
interface Unanswered {
  readonly app: string
  readonly instance: string
  /** The port that was asked for, if one was. */
  readonly port: number | undefined
}

/** What a server owes to its clients, by what it has answered them. Every request's service has a name of its own. */
export class Ledger {
  readonly #held = new Map<number, Allocation>()
  /** Held, but their release was asked for and not answered. */
  readonly #doubtful = new Set<number>()
  readonly #unanswered = new Map<string, Unanswered>()
  #newest = 0
  readonly counts = { allocated: 0, released: 0, unanswered: 0, happenedAnyway: 0 }

  asks(service: string, app: string, instance: string, port: number | undefined): void {
    this.#unanswered.set(service, { app, instance, port })
  }

  refused(service: string): void {
    this.#unanswered.delete(service)
  }

  gave(row: Allocation): void {
    this.#checkAsked(row)
    this.refused(row.service)
    this.#held.set(row.id, row)
    this.#newest = Math.max(this.#newest, row.id)
    this.counts.allocated++
  }

  asksBack(id: number): void {
    this.#doubtful.add(id)
  }

  tookBack(id: number): void {
    this.#doubtful.delete(id)
    this.#held.delete(id)
    this.counts.released++
  }

  #checkAsked(row: Allocation): void {
    const asked = this.#unanswered.get(row.service)
    expect(asked, `nobody asked for ${JSON.stringify(row)}`).toBeDefined()
    expect(row).toMatchObject({ app: asked?.app, instance: asked?.instance })
    if (asked?.port !== undefined) expect(row.port).toBe(asked.port)
  }

  /** Compare with everything that is there after a crash; what was in doubt is as it was found from now on. */
  settle(found: ReadonlyArray<Allocation>, newestBefore: number): void {
    expect(found.map(({ id }) => id)).toEqual([...new Set(found.map(({ id }) => id))].sort((a, b) => a - b))
    expect(new Set(found.map(({ port }) => port)).size).toBe(found.length)
    this.counts.unanswered += this.#unanswered.size + this.#doubtful.size
    const there = new Map<number, Allocation>(found.map((row) => [row.id, row]))
    for (const [id, row] of this.#held) {
      if (this.#doubtful.has(id) && !there.has(id)) {
        this.#held.delete(id)
        this.counts.happenedAnyway++
      } else {
        expect(there.get(id), `acknowledged and lost: ${JSON.stringify(row)}`).toEqual(row)
      }
      there.delete(id)
    }
    for (const row of there.values()) {
      this.#checkAsked(row)
      expect(row.id, "an id of an earlier life").toBeGreaterThan(newestBefore)
      this.#unanswered.delete(row.service)
      this.#held.set(row.id, row)
      this.#newest = Math.max(this.#newest, row.id)
      this.counts.happenedAnyway++
    }
    this.#unanswered.clear()
    this.#doubtful.clear()
  }

  /** The newest id that anybody has seen. */
  get newest(): number {
    return this.#newest
  }
}
