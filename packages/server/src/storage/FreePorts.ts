import { badPorts, type PortRange } from "@port-server/domain/Port"
import { PortBitSet } from "./PortBitSet.ts"

const bad = new PortBitSet(badPorts)

/**
 * Which ports are held. It only remembers what SQLite said: its owner discards it when anybody else may have changed the
 * database.
 */
export class FreePorts {
  readonly #held: PortBitSet

  constructor(held: Iterable<number>) {
    this.#held = new PortBitSet(held)
  }

  hold(port: number): void {
    this.#held.add(port)
  }

  free(port: number): void {
    this.#held.delete(port)
  }

  /** The first free port of the range but for those to skip; one that browsers refuse to open only when nothing else is left. */
  first(range: PortRange, ...skip: ReadonlyArray<PortBitSet>): number | undefined {
    return (
      PortBitSet.firstOutside(range, [this.#held, bad, ...skip]) ??
      PortBitSet.firstOutside(range, [this.#held, ...skip])
    )
  }
}
