// Load on a server, by autocannon.
import autocannon from "autocannon"

export const allocation = JSON.stringify({ app: "bench", instance: "main", service: "web" })

/**
 * Requests per second over 32 connections.
 *
 * @param {string} url @param {Partial<autocannon.Options>} options
 * @returns {Promise<{ rate: number, refused: number }>} `refused`: answers that were not 2xx, and errors
 */
export const rate = async (url, options) => {
  const result = await autocannon({ url, connections: 32, ...options })
  const { total } = result.requests
  return {
    rate: total / ((result.finish.getTime() - result.start.getTime()) / 1000),
    refused: result.non2xx + result.errors
  }
}

/** POST that allocates the next free port. @type {Partial<autocannon.Options>} */
export const allocate = { method: "POST", headers: { "content-type": "application/json" }, body: allocation }

/** Hold ports, as many as said, as quickly as possible. @param {string} url @param {number} amount */
export const fill = async (url, amount) => {
  const { refused } = await rate(`${url}/v1/allocations`, { ...allocate, amount, connections: Math.min(amount, 32) })
  if (refused > 0) throw new Error(`${refused} of ${amount} allocations were refused`)
}
