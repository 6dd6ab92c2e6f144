// Checks a user's pcap expression before libpcap reads it: host and port names would cause DNS
// queries from a node's agent, and `protochain` loops. In: the text. Out: nothing, or a RangeError
// that names the word and what was expected. Each word must be one of the language; libpcap checks
// the rest.

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
    carp ah esp broadcast multicast less greater len length vlan mpls pppoed pppoes geneve inbound outbound byte
    decnet lat moprc mopdl atalk aarp ipx netbeui stp iso clnp esis isis es-is is-is snp csnp psnp l1 l2 iih lsp
    tcpflags icmptype icmpcode icmp6type icmp6code
    tcp-fin tcp-syn tcp-rst tcp-push tcp-ack tcp-urg tcp-ece tcp-cwr`),
  ...split(icmp).map(name => `icmp-${name}`),
  ...split(icmp6).map(name => `icmp6-${name}`),
])

const number = '0[xX][0-9A-Fa-f]+|[0-9]+-[0-9]+|[0-9]+(?:[.][0-9]+){0,3}'
const mac = String.raw`[0-9A-Fa-f]{1,2}(?:([:.-])[0-9A-Fa-f]{1,2})(?:\1[0-9A-Fa-f]{1,2}){4}`
const ipv6 = '(?=(?:[0-9A-Fa-f.]*:){2})[0-9A-Fa-f:.]+'
const end = '(?![A-Za-z0-9_.-])' // a longer word is a name
const token = new RegExp(
  String.raw`\s+|(?:${mac})${end}|(?:${ipv6})${end}|(?:${number})${end}|(?<word>[A-Za-z0-9_][A-Za-z0-9_.-]*)|[()[\]!&|^~+\-*/%<>=:]`,
  'y',
)

export function checkExpression(text: string): void {
  if (text.length > expressionLengthMax)
    throw new RangeError(`found ${text.length} characters, expected at most ${expressionLengthMax}`)
  if (text.trim() === '')
    throw new RangeError('found nothing, expected a pcap expression, or no field')
  token.lastIndex = 0
  while (token.lastIndex < text.length) {
    const at = token.lastIndex
    const found = token.exec(text)
    if (!found)
      throw new RangeError(
        `found ${JSON.stringify(text.charAt(at))} at character ${at + 1}, which no pcap expression needs`,
      )
    checkWord(found.groups?.word)
  }
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

function checkWord(word: string | undefined): void {
  if (word === undefined || keywords.has(word)) return
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
