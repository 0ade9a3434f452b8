/** Bodies of up to this many bytes are small. */
const smallBody = 64 * 1024

/** Most bytes of small bodies. */
const smallLimit = 16 * 1024 * 1024

/** Most bytes of other bodies. */
const largeLimit = 48 * 1024 * 1024

/** A request body that is being received, or has been and is not decoded yet. */
interface Upload {
  size: number
  readonly refuse: () => void
}

/**
 * Counts the bytes of request bodies in memory. Small bodies have room of their own, which large ones, however slow, never
 * take. When that is full, the largest small body that is still being received is refused.
 */
export class UploadBudget {
  readonly #receiving = new Set<Upload>()
  #small = 0
  #large = 0

  /** A body begins. `refuse` is called at most once: when it has to give way, and no longer counts. */
  begin(refuse: () => void): Upload {
    const upload = { size: 0, refuse }
    this.#receiving.add(upload)
    return upload
  }

  /** Some bytes have come. */
  grow(upload: Upload, bytes: number): void {
    if (!this.#receiving.has(upload)) return
    this.#count(upload.size, -1)
    upload.size += bytes
    this.#count(upload.size, 1)
    if (upload.size > smallBody) {
      if (this.#large > largeLimit) this.#giveWay(upload)
      return
    }
    if (this.#small <= smallLimit) return
    const small = [...this.#receiving].filter(({ size }) => size <= smallBody)
    this.#giveWay(small.reduce((largest, each) => (each.size > largest.size ? each : largest), upload))
  }

  /** All of it has come; its bytes count until the end. */
  complete(upload: Upload): void {
    this.#receiving.delete(upload)
  }

  /** Its bytes are no longer kept. */
  end(upload: Upload): void {
    this.#receiving.delete(upload)
    this.#count(upload.size, -1)
    upload.size = 0
  }

  #giveWay(upload: Upload): void {
    this.end(upload)
    upload.refuse()
  }

  #count(size: number, sign: 1 | -1): void {
    if (size > smallBody) this.#large += sign * size
    else this.#small += sign * size
  }
}
