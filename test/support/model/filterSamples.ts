// Filters of the three APIs and the pcap expressions they become: held to the text by the unit
// tests, to libpcap by the integration tests.

/** Calico's rules → expression. */
export const calicoFilters: readonly (readonly [rules: readonly object[], expression: string])[] = [
  [[], ''],
  [
    [{ protocol: 'TCP', ports: [80, '8000:8080'] }, { protocol: 'UDP' }],
    '(tcp and (port 80 or portrange 8000-8080)) or (udp)',
  ],
  [[{ ports: ['53'] }], '(port 53)'],
  [[{ protocol: 'ICMP' }], '(icmp)'],
  [[{ protocol: 'ICMPv6' }], '(icmp6)'],
  [[{ protocol: 'SCTP', ports: [1] }], '(sctp and (port 1))'],
  [[{ protocol: 'UDPLite' }], '(ip proto 136 or ip6 proto 136)'],
  [[{ protocol: 47 }], '(ip proto 47 or ip6 proto 47)'],
  [[{ protocol: '6', ports: [80] }], '((ip proto 6 or ip6 proto 6) and (port 80))'],
]

/** Expressions that a user may give. */
export const legalExpressions = [
  'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0',
  'vlan 5',
  'vlan and tcp',
  'ether host 00:11:22:33:44:55',
  'ether host 0-1-2-3-4-5',
  'net 10.0.0.0/8',
  'net 10',
  'net 192.168',
  'net 10.0.0.0 mask 255.0.0.0',
  'icmp[icmptype] = icmp-echo',
  'greater 100',
  'len <= 100',
  'ip6',
  'host ::1',
  'host 2001:db8::1',
  'ip6 net 2001:db8::/32',
  'not (arp or rarp)',
  '!tcp && udp || icmp',
  'portrange 80-90',
  'src port 80',
  'dst portrange 1-1024',
  'ip[0] & 0xf != 5',
  'tcp[12:1] & 0xf0 > 0x50',
  'udp[8:4] = 0xdeadbeef',
  'ether proto 0x0800',
  'ip proto 6',
  'broadcast',
  'ether multicast',
  'mpls',
  'pppoes',
  'less 64',
  'ip[2:2] > 576 + 4',
  'icmp6[icmp6type] = icmp6-echo',
  'tcp src port 80 and dst net 10.1.0.0/16',
  'llc',
  'llc i or llc rr',
  'ifindex 3',
  'portrange 80-90 or 8000-8080',
  'ether host aa-bb-cc-dd-ee-ff',
  'ether host a.b.c.d.e.f',
  'host ::ffff:10.0.0.1',
  'ip[0:1] - 4 > 0x3',
  'len - 4 > 60',
]

/** A PacketCaptureConfig's spec → expression. */
export const configFilters: readonly (readonly [spec: object, filter: string])[] = [
  [{ targetIPs: ['10.0.0.0/24', '10.0.0.7/24'] }, '(net 10.0.0.0/24 or net 10.0.0.0/24)'],
  [{ targetIPs: ['fd00::5', 'fd00::5/64'] }, '(host fd00::5 or net fd00:0:0:0:0:0:0:0/64)'],
  [{ targetIPs: ['0.0.0.0/0', '::/0'] }, '(net 0.0.0.0/0 or net 0:0:0:0:0:0:0:0/0)'],
  [{ targetIPs: ['10.0.0.1'], filter: 'tcp or udp' }, '(host 10.0.0.1) and (tcp or udp)'],
  [{ targetIPs: ['10.0.0.1'], filter: '' }, '(host 10.0.0.1)'],
  [{ targetIPs: [], podSelector: { pods: [{ podName: 'a', namespace: 'b' }] } }, ''],
]

/** An entry of Retina's filters → expression; empty: it is refused. */
export const retinaEntries: readonly (readonly [string, string])[] = [
  ['10.1.2.3/8:443', '((net 10.0.0.0/8 and port 443))'],
  ['10.0.0.1/32', '((net 10.0.0.1/32))'],
  ['0.0.0.0/0', '((net 0.0.0.0/0))'],
  ['10.1.2.3/20:80-90', '((net 10.1.0.0/20 and portrange 80-90))'],
  ['[fd00::1]', '((host fd00::1))'],
  ['[FD00::1]:*', '((host fd00::1))'],
  ['[fd00:1:2:3::4]:53', '((host fd00:1:2:3::4 and port 53))'],
  ['[fd00:1:2:3::4]/64', ''],
  ['[fd00:1:2:3ff::4/56]:53', '((net fd00:1:2:300:0:0:0:0/56 and port 53))'],
  ['[::/0]', '((net 0:0:0:0:0:0:0:0/0))'],
  ['[::ffff:10.0.0.1/128]', '((net 0:0:0:0:0:ffff:a00:1/128))'],
  ['*:8000-8100', '((portrange 8000-8100))'],
  ['0-65535', '((portrange 0-65535))'],
  ['10.0.0.1:', '((host 10.0.0.1))'],
]
