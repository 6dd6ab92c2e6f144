// Counts of packets and bytes: sums that stay exact integers and never decrease, texts with counts,
// and whether two statuses differ in counts alone. Pure.
import type { Counts } from '../../model/status.ts'
import { pluralize } from '../../model/text.ts'

export const noCounts: Counts = Object.freeze({ packets: 0, bytes: 0, dropped: 0 })

export function addCounts(all: readonly Counts[]): Counts {
  return all.reduce(
    (sum, { packets, bytes, dropped }) =>
      eachCount((name, value) => value + { packets, bytes, dropped }[name], sum),
    noCounts,
  )
}

/** The larger of both: a node that lost its state file does not make a count decrease. */
export function maxCounts(now: Counts, before: Counts | undefined): Counts {
  return eachCount((name, value) => Math.max(value, before?.[name] ?? 0), now)
}

function eachCount(
  change: (name: keyof Counts, value: number) => number,
  { packets, bytes, dropped }: Counts,
): Counts {
  const clamp = (value: number) => Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.trunc(value)))
  return {
    packets: clamp(change('packets', packets)),
    bytes: clamp(change('bytes', bytes)),
    dropped: clamp(change('dropped', dropped)),
  }
}

/** A text, and its wording without counts: two texts of one wording differ in counts alone. */
export type CountedText = { readonly text: string; readonly wording: string }

export function plainText(text: string): CountedText {
  return { text, wording: text }
}

/** "1 packet …", "2 packets …". */
export function packetsText(packets: number, rest: string): CountedText {
  return { text: `${pluralize(packets, 'packet')} ${rest}`, wording: `packets ${rest}` }
}

/** Joins all that are not empty. */
export function joinTexts(texts: readonly CountedText[]): CountedText {
  const given = texts.filter(({ text }) => text !== '')
  return {
    text: given.map(({ text }) => text).join('; '),
    wording: given.map(({ wording }) => wording).join('; '),
  }
}

const countFields: ReadonlySet<string> = new Set([
  'packets',
  'bytes',
  'dropped',
  'lost',
  'fileNames',
])

/**
 * Whether two statuses differ in counts alone. File names change with the counts, because a busy
 * capture rotates its files. Messages are compared without the numbers that stand alone in them.
 */
export function sameButCounts(before: unknown, now: unknown): boolean {
  if (Array.isArray(before) && Array.isArray(now))
    return (
      before.length === now.length && before.every((each, index) => sameButCounts(each, now[index]))
    )
  if (!isObject(before) || !isObject(now)) return before === now
  const names = new Set([...Object.keys(before), ...Object.keys(now)])
  return names.values().every(name => {
    if (countFields.has(name)) return true
    return name === 'message'
      ? withoutNumbers(before[name]) === withoutNumbers(now[name])
      : sameButCounts(before[name], now[name])
  })
}

// A number within a word, such as that of a pod's name, is no count.
function withoutNumbers(message: unknown): unknown {
  return typeof message === 'string'
    ? message.replaceAll(/(?<![\w.:-])\d+(?![\w.:-])/g, '')
    : message
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
