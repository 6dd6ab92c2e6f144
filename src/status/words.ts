// Words for messages: numbers with their nouns.

/** "1 packet", "2 packets". */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
