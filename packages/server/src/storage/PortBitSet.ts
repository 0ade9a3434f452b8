import { type Block, portsFrom } from "@port-server/domain/Block"
import type { PortRange } from "@port-server/domain/PortRange"

const words = 65536 / 32

const isPort = (port: number): boolean => port >= 0 && port <= 65535

/** A set of ports, one bit each: the first port that is in none of several sets takes a few hundred steps. */
export class PortBitSet {
  readonly #bits = new Uint32Array(words)

  constructor(ports: Iterable<number> = []) {
    for (const port of ports) this.add(port)
  }

  add(port: number): void {
    if (isPort(port)) this.#bits[port >>> 5] = (this.#bits[port >>> 5] ?? 0) | (1 << (port & 31))
  }

  delete(port: number): void {
    if (isPort(port)) this.#bits[port >>> 5] = (this.#bits[port >>> 5] ?? 0) & ~(1 << (port & 31))
  }

  has(port: number): boolean {
    return isPort(port) && ((this.#bits[port >>> 5] ?? 0) & (1 << (port & 31))) !== 0
  }

  /** The first port of the range that is in none of the sets, or the first of a block of such. */
  static firstOutside(range: PortRange, sets: ReadonlyArray<PortBitSet>, block: Block = {}): number | undefined {
    const { align = 1, size = 1 } = block
    if (size === 1 && align === 1) return PortBitSet.#firstPortOutside(range, sets)
    for (let from: number = range.first; ; ) {
      const first = Math.ceil(from / align) * align
      if (first + size - 1 > range.last) return undefined
      const busy = portsFrom(first, block).findLast((port) => sets.some((set) => set.has(port)))
      if (busy === undefined) return first
      from = busy + 1
    }
  }

  static #firstPortOutside({ first, last }: PortRange, sets: ReadonlyArray<PortBitSet>): number | undefined {
    for (let word = first >>> 5; word <= last >>> 5; word++) {
      let taken = 0
      for (const set of sets) taken |= set.#bits[word] ?? 0
      if (word === first >>> 5) taken |= (1 << (first & 31)) - 1
      if (~taken === 0) continue
      const port = word * 32 + (31 - Math.clz32(~taken & -~taken))
      return port <= last ? port : undefined
    }
    return undefined
  }
}
