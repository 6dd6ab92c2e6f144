// The system packages of Debian and Ubuntu that selcap builds and is tested with, and which of them
// are missing. Looks at the files themselves, not at dpkg: quick, and right where somebody
// installed a program by hand.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { runLocked } from './lock.mjs'

// program or header → the package that brings it
const sets = {
  base: {
    'g++': 'g++',
    make: 'make',
    python3: 'python3',
    '/usr/include/pcap/pcap.h': 'libpcap-dev',
    tcpdump: 'tcpdump',
    tshark: 'tshark',
    ip: 'iproute2',
    unshare: 'util-linux',
    sshd: 'openssh-server',
  },
  bench: {
    gcc: 'gcc',
    curl: 'curl',
    dumpcap: 'wireshark-common',
    iperf3: 'iperf3',
    nginx: 'nginx',
  },
  go: { go: 'golang-go' },
  node: {
    runc: 'runc',
    '/usr/lib/cni/ptp': 'containernetworking-plugins',
    iptables: 'iptables',
    conntrack: 'conntrack',
    '/bin/busybox': 'busybox-static',
    gcc: 'gcc',
    mount: 'mount',
  },
}

/** PATH with the folders that only root's has by default: `ip` and `tcpdump` may live there. */
export const searchPath = [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(
  delimiter,
)

export function missingPackages(set) {
  const wanted = Object.entries(sets[set]).filter(([thing]) => !isThere(thing))
  return [...new Set(wanted.map(([, name]) => name))]
}

/** As root installs them; otherwise, and without apt-get, throws with the command to run. */
export function installPackages(names, say) {
  const byHand = `apt-get update && apt-get install -y --no-install-recommends ${names.join(' ')}`
  if (!isThere('apt-get'))
    throw new Error(
      `Cannot set up: missing ${names.join(', ')} (Debian's names), and this system has no apt-get; install them by its own means`,
    )
  if (process.getuid?.() !== 0)
    throw new Error(`Cannot set up: missing ${names.join(', ')}; run: sudo sh -c '${byHand}'`)
  say(`Installing ${names.join(', ')}`)
  const status = runLocked('/var/lib/apt/selcap.lock', ['/bin/sh', '-c', `(${byHand}) >&2`], {
    ...process.env,
    DEBIAN_FRONTEND: 'noninteractive',
  })
  if (status !== 0)
    throw new Error(`Cannot set up: apt-get ended with ${status}; its words are above`)
  const still = names.filter(name =>
    Object.keys(sets).some(set => missingPackages(set).includes(name)),
  )
  if (still.length > 0)
    throw new Error(
      `Cannot set up: apt-get installed ${still.join(', ')}, but what they bring is not where it was expected`,
    )
}

function isThere(thing) {
  return thing.startsWith('/')
    ? existsSync(thing)
    : searchPath.split(delimiter).some(folder => folder !== '' && existsSync(join(folder, thing)))
}
