import { badPorts, type PortRange } from "@port-server/domain/Port"
import { PortSet } from "./PortBitSet.ts"

const bad = new PortSet(badPorts)

/**
 * Which ports are held. It only remembers what SQLite said: its owner discards it when anybody else may have changed the
 * database.
 */
export class FreePorts {
  readonly #held: PortSet

  constructor(held: Iterable<number>) {
    this.#held = new PortSet(held)
  }

  hold(port: number): void {
    this.#held.add(port)
  }

  free(port: number): void {
    this.#held.delete(port)
  }

  /** The first free port of the range but for those to skip; one that browsers refuse to open only when nothing else is left. */
  first(range: PortRange, ...skip: ReadonlyArray<PortSet>): number | undefined {
    return PortSet.firstOutside(range, [this.#held, bad, ...skip]) ?? PortSet.firstOutside(range, [this.#held, ...skip])
  }
}
