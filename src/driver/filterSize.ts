// How long a filter's program is at least, before libpcap compiles it: that takes more than the
// square of the program's length, and cannot be interrupted. In: a pcap expression that src/api
// has read or made. Out: a number of instructions that it cannot fall short of. Pure.

const directions = new Set(['src', 'dst'])
const transports = new Set(['tcp', 'udp', 'sctp'])
const nets = new Set(['ip', 'ip6', 'arp', 'rarp', 'ether', 'link'])

/** By the words before it: [of one direction, of both]. Measured with libpcap 1.10, unoptimised. */
type Cost = readonly [one: number, both: number]

const costs: Readonly<Record<string, { readonly plain: Cost; readonly qualified: Cost }>> = {
  port: { plain: [37, 52], qualified: [15, 20] },
  portrange: { plain: [52, 82], qualified: [20, 30] },
  host: { plain: [10, 20], qualified: [4, 8] },
  net: { plain: [13, 26], qualified: [4, 8] },
}
const words: Readonly<Record<string, number>> = {
  tcp: 12,
  udp: 12,
  sctp: 12,
  esp: 12,
  ah: 12,
  pim: 12,
  icmp6: 8,
  l1: 20,
  geneve: 50,
}
const leastOfWord = 2
const token = /[A-Za-z0-9][A-Za-z0-9_.:-]*|::[A-Za-z0-9.:]*|\S/g

export function leastInstructions(expression: string): number {
  const tokens = expression.match(token) ?? []
  let [sum, cost, depth] = [0, leastOfWord, 0] // `cost`: of another address or number behind `or`
  for (const [index, each] of tokens.entries()) {
    if (each === '[') depth++
    if (each === ']') depth--
    if (depth > 0) continue
    const before = tokens[index - 1] ?? ''
    const known = costs[each]
    if (known) {
      cost = costOf(known, tokens, index)
      sum += cost
    } else if (isValue(each)) {
      if (isJoint(before)) sum += cost
    } else if (Object.hasOwn(words, each) && isAlone(tokens[index + 1])) {
      sum += words[each] as number
    }
  }
  return sum
}

function costOf(
  { plain, qualified }: { readonly plain: Cost; readonly qualified: Cost },
  tokens: readonly string[],
  index: number,
): number {
  let first = index // of the words that qualify it
  while (isQualifier(tokens[first - 1])) first--
  const before = tokens.slice(first, index)
  const isQualified = before.some(each => transports.has(each) || nets.has(each))
  const isOneWay = before.some(each => directions.has(each))
  return (isQualified ? qualified : plain)[isOneWay ? 0 : 1]
}

function isQualifier(each: string | undefined): boolean {
  return each !== undefined && (directions.has(each) || transports.has(each) || nets.has(each))
}

function isValue(each: string): boolean {
  return /^[0-9]/.test(each) || each.includes(':')
}

function isJoint(each: string): boolean {
  return each === 'or' || each === 'and' || each === '|' || each === '&'
}

/** The word is a primitive of its own, and qualifies no other. */
function isAlone(next: string | undefined): boolean {
  return next === undefined || next === ')' || isJoint(next)
}
