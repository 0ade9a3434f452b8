import { badPorts, type PortRange } from "@port-server/domain/Port"

const words = 65536 / 32

const set = (bits: Uint32Array, port: number): void => {
  if (port >= 0 && port <= 65535) bits[port >>> 5] = (bits[port >>> 5] ?? 0) | (1 << (port & 31))
}

const bad = new Uint32Array(words)
for (const port of badPorts) set(bad, port)

/** The first port of the range whose bit is set in none of the maps. */
const firstClear = ({ first, last }: PortRange, ...maps: ReadonlyArray<Uint32Array>): number | undefined => {
  for (let word = first >>> 5; word <= last >>> 5; word++) {
    let taken = 0
    for (const map of maps) taken |= map[word] ?? 0
    if (word === first >>> 5) taken |= (1 << (first & 31)) - 1
    if (~taken === 0) continue
    const port = word * 32 + (31 - Math.clz32(~taken & -~taken))
    return port <= last ? port : undefined
  }
  return undefined
}

/**
 * Which ports are held, one bit each, so that the next free one is found in a few hundred steps however many are held.
 * It only remembers what SQLite said: its owner discards it when anybody else may have changed the database.
 */
export class FreePorts {
  readonly #held = new Uint32Array(words)

  constructor(held: Iterable<number>) {
    for (const port of held) set(this.#held, port)
  }

  hold(port: number): void {
    set(this.#held, port)
  }

  free(port: number): void {
    if (port >= 0 && port <= 65535) this.#held[port >>> 5] = (this.#held[port >>> 5] ?? 0) & ~(1 << (port & 31))
  }

  /** The first free port of the range; one that browsers refuse to open only when nothing else is left. */
  first(range: PortRange): number | undefined {
    return firstClear(range, this.#held, bad) ?? firstClear(range, this.#held)
  }
}
