// The portable driver, on the `pcap` package: for systems without TPACKET_V3 (macOS, some sandboxes). Each tap is a process
// (pcapProcess.ts) that owns the libpcap session; this side puts its packets on the sinks. The addon's way of compiling
// filters and of listing and watching interfaces is used when it is given, else portableLinks.ts looks twice a second.
//
// Stated limits, which test/integration/node/driver/libpcap.test.ts hands to the contract:
// - times are microseconds, also in pcapng; no direction and no checksum flags in pcapng;
// - a tap costs a process of about 45 MB and 0.1 s to open; 2 to 4 times the CPU of a packet in the ring driver and more;
// - a ring is a multiple of 256 KiB; a snap length is at most 262,144;
// - no live streams: it writes to files only;
// - under load the last packets before a pause may come half a second late;
// - close() takes 0.1 s; under more packets than it can take it stops after two seconds, and what is then still in the
//   ring is in no count;
// - without the addon, that an interface was set down is told within half a second, and not if it was up again at once or
//   lies in another network namespace (which takes nsenter of util-linux); when it is up its packets are captured all the same;
// - without the addon, compile() does not know the number of instructions and says 0, and links() of another network
//   namespace know names and addresses only.
import { snapLengthMax } from '../../model/capture.ts'
import { TapError } from '../../model/errors.ts'
import { pcapHeader } from '../../pcap/fileHeader.ts'
import type { Driver, DriverSpec, DriverTap, Link, TapEvent } from '../driver.ts'
import { LibpcapTap } from './libpcapTap.ts'
import { firstMessage, PcapChild } from './pcapChild.ts'
import { readLinks, watchReadLinks } from './portableLinks.ts'
import { SharedLimit } from './sharedLimit.ts'

/** What the addon does better where it is built: the ring driver, if it could be loaded. */
export type PreferredDriver = Pick<Driver, 'compile' | 'links' | 'watchLinks'>

const portable: PreferredDriver = {
  compile,
  links: async netns => (netns === undefined ? readLinks() : linksWithin(netns)),
  watchLinks: watchReadLinks,
}

export function libpcapDriver(better: PreferredDriver = portable): Driver {
  const taps = new Set<DriverTap>()
  return {
    name: 'libpcap',
    compile: (filter, snapLength) => better.compile(filter, snapLength),
    links: netns => better.links(netns),
    watchLinks: onChange => better.watchLinks(onChange),
    group: () => new SharedLimit(),
    pipe() {
      throw new TapError('NOT_SUPPORTED', 'Cannot make a live stream: the libpcap driver writes to files only, expected the ring driver')
    },
    async open(spec: DriverSpec, onEvent: (event: TapEvent) => void) {
      const tap = await LibpcapTap.open(spec, better, onEvent)
      taps.add(tap)
      return tap
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(Array.from(taps, tap => tap.close()))
      taps.clear()
    },
  }
}

// An empty file stands for an interface: libpcap compiles the filter for Ethernet.
const emptyFile = pcapHeader(snapLengthMax)

async function compile(filter: string): Promise<number> {
  await using child = new PcapChild({ act: 'file', path: '-', filter })
  child.end(emptyFile)
  await firstMessage(child, `compile filter "${filter}"`)
  return 0
}

async function linksWithin(netns: string): Promise<readonly Link[]> {
  await using child = new PcapChild({ act: 'links' }, netns)
  const what = 'list interfaces'
  const news = await firstMessage(child, what)
  if (news.kind !== 'links') throw new TapError('NOT_SUPPORTED', `Cannot ${what}: expected links, got ${news.kind}`)
  return news.links
}
