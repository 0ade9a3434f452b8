const units = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1]
] as const

/** A length of time in ms, in its largest units: `3 hours 12 minutes`; no unit after one that is missing. */
export const durationText = (milliseconds: number, most = 2): string => {
  let rest = Math.max(0, Math.floor(milliseconds / 1000))
  const counts = units.map(([unit, seconds]) => {
    const count = Math.floor(rest / seconds)
    rest -= count * seconds
    return [count, unit] as const
  })
  const first = counts.findIndex(([count]) => count > 0)
  if (first === -1) return "0 seconds"
  return counts
    .slice(first, first + most)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`)
    .join(" ")
}
