// Text for messages: counts with their nouns, and texts of a bounded length. Pure.

/** "1 packet", "2 packets". */
export function pluralize(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** The order of UTF-16 code units, the same in every locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * At most `charactersMax` UTF-16 units. A cut text ends in an ellipsis, and no surrogate pair is
 * split.
 */
export function truncateText(text: string, charactersMax: number): string {
  return text.length <= charactersMax
    ? text.toWellFormed()
    : `${text.slice(0, charactersMax - 1).toWellFormed()}…`
}
