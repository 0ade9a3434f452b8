/** Most allocations in one page of a list: under 16 MiB, however long their names and paths are. */
export const largestPage = 500
