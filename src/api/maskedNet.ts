// A network as pcap requires it: the bits behind its prefix length are zero. Pure. In: a valid
// address, and the length as written. Out: the expression; undefined if the length is not valid.
import { isIPv4 } from 'node:net'

export function maskedNet(address: string, length: string): string | undefined {
  const bits = isIPv4(address) ? 32 : 128
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits) return undefined
  const kept = Number(length)
  const groups = isIPv4(address) ? address.split('.').map(Number) : ipv6Groups(address)
  const width = isIPv4(address) ? 8 : 16
  const masked = groups.map((group, index) => {
    const here = Math.min(width, Math.max(0, kept - index * width))
    return group & ~(2 ** (width - here) - 1)
  })
  return isIPv4(address)
    ? `net ${masked.join('.')}/${kept}`
    : `net ${masked.map(group => group.toString(16)).join(':')}/${kept}`
}

/** Eight groups, also of a shortened address. */
function ipv6Groups(address: string): number[] {
  const [head = '', tail] = address.split('::').map(withoutDots)
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map(group => Number.parseInt(group, 16))
  if (tail === undefined) return groups(head)
  const [first, last] = [groups(head), groups(tail)]
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last]
}

function withoutDots(text: string): string {
  return text.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a: string, b: string, c: string, d: string) => {
      const group = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16)
      return `${group(a, b)}:${group(c, d)}`
    },
  )
}
