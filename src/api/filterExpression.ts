// Checks a user's pcap expression before libpcap reads it: libpcap asks the system's resolver for
// every word that it does not know, and `protochain` loops. In: the text. Out: the text for
// libpcap, or a RangeError that names the word and what was expected. Cuts the text as libpcap's
// scanner does, so that what is an address here is none of its names; libpcap checks the rest.
import { isIPv6 } from 'node:net'

export const expressionLengthMax = 1_024

const icmp = `echoreply unreach sourcequench redirect echo routeradvert routersolicit timxceed paramprob tstamp tstampreply ireq ireqreply
  maskreq maskreply`
const icmp6 = `destinationunreach packettoobig timeexceeded parameterproblem echo echoreply multicastlistenerquery
  multicastlistenerreportv1 multicastlistenerdone routersolicit routeradvert neighborsolicit neighboradvert redirect routerrenum
  nodeinformationquery nodeinformationresponse ineighbordiscoverysolicit ineighbordiscoveryadvert multicastlistenerreportv2
  homeagentdiscoveryrequest homeagentdiscoveryreply mobileprefixsolicit mobileprefixadvert certpathsolicit certpathadvert
  multicastrouteradvert multicastroutersolicit multicastrouterterm`
const keywords = new Set([
  ...split(`and or not host net mask port portrange proto src dst ether link ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp
    carp ah esp broadcast multicast less greater len length vlan mpls pppoed pppoes geneve inbound outbound byte ifindex llc
    decnet lat moprc mopdl atalk aarp ipx netbeui stp iso clnp esis isis es-is is-is snp csnp psnp l1 l2 iih lsp
    tcpflags icmptype icmpcode icmp6type icmp6code
    tcp-fin tcp-syn tcp-rst tcp-push tcp-ack tcp-urg tcp-ece tcp-cwr`),
  ...split(icmp).map(name => `icmp-${name}`),
  ...split(icmp6).map(name => `icmp6-${name}`),
])
const llcTypes = new Set(split('i s u rr rnr rej ui ua disc sabme test xid frmr'))

/** What may stand behind `proto` with a backslash: libpcap would look the name up in a file of the node. */
const ipProtocols: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  igrp: 9,
  udp: 17,
  esp: 50,
  ah: 51,
  icmp6: 58,
  pim: 103,
  vrrp: 112,
  carp: 112,
  sctp: 132,
}
const etherProtocols: Readonly<Record<string, number>> = {
  ip: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  atalk: 0x809b,
  aarp: 0x80f3,
  ip6: 0x86dd,
}

type Token = {
  readonly kind: 'word' | 'colons' | 'escaped' | 'sign' | 'space'
  readonly text: string
  readonly at: number
}

// The word is libpcap's, to the letter: `len-4` is one word and `len -4` are three.
const pattern =
  /(?<space>[ \t\r\n]+)|\\(?<escaped>[A-Za-z0-9_.-]+)(?=[\s!()]|$)|(?<colons>(?=[A-Za-z0-9_.-]*:)[A-Za-z0-9:][A-Za-z0-9_.:-]*)|(?<word>[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9.])?)|(?<sign>[()[\]!&|^~+\-*/%<>=])/y
const withinBrackets =
  /(?<space>[ \t\r\n]+)|(?<word>[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9.])?)|(?<sign>[()[\]!&|^~+\-*/%<>=:])/y

const number = /^(?:0[xX][0-9A-Fa-f]+|\d+)$/
const dotted = /^\d+(?:\.\d+){1,3}$/
const range = /^\d+-\d+$/
const mac = /^[0-9A-Fa-f]{1,2}([:.-])[0-9A-Fa-f]{1,2}(?:\1[0-9A-Fa-f]{1,2}){4}$/

/** The text for libpcap: the user's, with the numbers of protocols in place of their escaped names. */
export function readExpression(text: string): string {
  if (text.length > expressionLengthMax)
    throw new RangeError(`found ${text.length} characters, expected at most ${expressionLengthMax}`)
  if (text.trim() === '')
    throw new RangeError('found nothing, expected a pcap expression, or no field')
  const tokens = tokenize(text)
  const words = tokens.filter(({ kind }) => kind !== 'space')
  for (const [index, token] of words.entries()) check(token, words, index)
  if (!hasBalancedBrackets(text))
    throw new RangeError('found brackets that do not match, expected as many ")" as "("')
  return tokens
    .map(token =>
      token.kind === 'escaped' ? `${protocolOf(token, words, words.indexOf(token))}` : token.text,
    )
    .join('')
}

/** False: put into brackets, the text would mean something else than it means alone. */
export function hasBalancedBrackets(text: string): boolean {
  return (
    [...text].reduce(
      (depth, each) => (depth < 0 ? depth : depth + Number(each === '(') - Number(each === ')')),
      0,
    ) === 0
  )
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let depth = 0 // of [ ]
  for (let at = 0; at < text.length; ) {
    const from = depth > 0 ? withinBrackets : pattern
    from.lastIndex = at
    const found = from.exec(text)
    if (!found)
      throw new RangeError(
        `found ${JSON.stringify(text.charAt(at))} at character ${at + 1}, which no pcap expression needs there`,
      )
    const [kind, value = ''] = Object.entries(found.groups ?? {}).find(([, each]) => each) ?? []
    tokens.push({ kind: kind as Token['kind'], text: value, at })
    if (value === '[') depth++
    if (value === ']' && depth > 0) depth--
    at = from.lastIndex
  }
  return tokens
}

function check(token: Token, words: readonly Token[], index: number): void {
  const { kind, text } = token
  if (kind === 'escaped') return void protocolOf(token, words, index)
  if (kind === 'colons') {
    if (mac.test(text) || isIPv6(text)) return
    throw new RangeError(
      `found "${text}", expected an address, for example 2001:db8::1 or 02:00:00:00:00:01`,
    )
  }
  if (kind !== 'word' || keywords.has(text)) return
  if (number.test(text) || dotted.test(text) || mac.test(text)) return
  if (range.test(text)) {
    if (isRangeExpected(words, index)) return
    throw new RangeError(
      `found "${text}", expected a range of ports behind "portrange" only; a difference takes blanks around its "-"`,
    )
  }
  if (llcTypes.has(text) && words[index - 1]?.text === 'llc') return
  refuseName(text)
}

/** Behind `portrange`, or behind a range and `or`: libpcap applies the words of the first to it. */
function isRangeExpected(words: readonly Token[], index: number): boolean {
  const before = words[index - 1]
  if (before?.text === 'portrange') return true
  const joined = before?.text === 'or' || before?.text === 'and' ? words[index - 2] : undefined
  return joined?.kind === 'word' && range.test(joined.text)
}

function protocolOf({ text }: Token, words: readonly Token[], index: number): number {
  const [level, proto] = [words[index - 2]?.text ?? '', words[index - 1]?.text]
  const known = ['ether', 'link'].includes(level) ? etherProtocols : ipProtocols
  if (proto === 'proto' && Object.hasOwn(known, text)) return known[text] as number
  throw new RangeError(
    `found "\\${text}", expected "proto" and then one of ${Object.keys(known)
      .map(name => `\\${name}`)
      .join(', ')}, or a number`,
  )
}

function refuseName(word: string): never {
  if (word === 'protochain')
    throw new RangeError(
      'found "protochain", expected "proto": following header chains takes a loop in the kernel',
    )
  if (word === 'gateway')
    throw new RangeError(
      'found "gateway", which needs a host name; expected addresses, for example "ether host 02:00:00:00:00:01"',
    )
  throw new RangeError(
    `found the name "${word}", expected addresses and numbers: names of hosts, networks, ports and protocols are not looked up`,
  )
}

function split(text: string): string[] {
  return text.trim().split(/\s+/)
}
