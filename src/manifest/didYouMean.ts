// A hint for a mistyped name, as text to append to a message: the closest known name, or all known
// names if none is close.
const nameLengthMax = 100 // no known name is nearly as long; the distance takes the product of the lengths

export function didYouMean(name: string, known: readonly string[]): string {
  const [closest] = (name.length > nameLengthMax ? [] : known)
    .map(each => ({ each, distance: distance(name.toLowerCase(), each.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)
  return closest && closest.distance <= Math.max(1, Math.floor(name.length / 3))
    ? `, did you mean "${closest.each}"?`
    : `, expected one of ${known.join(', ')}`
}

/** The number of letters to insert, delete or replace. */
function distance(a: string, b: string): number {
  const first = Array.from({ length: b.length + 1 }, (_, index) => index)
  const last = [...a].reduce((above, letter, row) => {
    const next = [row + 1]
    for (const [column, other] of [...b].entries()) {
      next.push(
        Math.min(
          (above[column + 1] ?? 0) + 1,
          (next[column] ?? 0) + 1,
          (above[column] ?? 0) + (letter === other ? 0 : 1),
        ),
      )
    }
    return next
  }, first)
  return last[b.length] ?? 0
}
