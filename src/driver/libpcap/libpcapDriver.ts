// The portable driver, on the `pcap` package, for systems without TPACKET_V3 (macOS, some
// sandboxes). In: the calls of the Driver interface. Out: a process (pcapProcess.ts) a tap, which
// owns the libpcap session, and its packets on the sinks. Refuses with TapError. If the addon is
// given, it compiles filters and lists and watches interfaces; otherwise portableLinks.ts polls
// twice a second.
//
// Known limits, which test/integration/node/driver/libpcap.test.ts passes to the contract:
// - times are microseconds, also in pcapng; no direction and no checksum flags in pcapng;
// - a tap costs a process of about 45 MB and 0.1 s to open; 2 to 4 times the CPU of a packet in the ring driver and more;
// - a ring is a multiple of 256 KiB; a snap length is at most 262,144;
// - no live streams: it writes to files only;
// - under load the last packets before a pause may come half a second late;
// - close() takes 0.1 s; under overload it stops after two seconds, and no counter has the packets that are then in the ring;
// - without the addon, an interface that is set down is reported within half a second, unless it is up again at once or lies in
//   another network namespace (which needs nsenter of util-linux); its packets are captured again when it is up;
// - without the addon, compile() returns 0 instead of the number of instructions, and links() of another network namespace
//   have names and addresses only.
import { snapLengthMax } from '../../model/capture.ts'
import { TapError } from '../../model/errors.ts'
import { pcapHeader } from '../../pcap/fileHeader.ts'
import type { Driver, DriverSpec, DriverTap, Link, TapCounters, TapEvent } from '../driver.ts'
import { LibpcapTap } from './libpcapTap.ts'
import { firstMessage, PcapProcessHandle } from './pcapProcessHandle.ts'
import { readLinks, watchReadLinks } from './portableLinks.ts'
import { SharedLimit } from './sharedLimit.ts'

/** The calls that the ring driver answers better, if the addon could be loaded. */
export type PreferredDriver = Pick<Driver, 'compile' | 'links' | 'watchLinks'>

const portable: PreferredDriver = {
  compile,
  links: async netns => (netns === undefined ? readLinks() : linksWithin(netns)),
  watchLinks: watchReadLinks,
}

export function libpcapDriver(preferred: PreferredDriver = portable): Driver {
  const taps = new Set<DriverTap>()
  return {
    name: 'libpcap',
    compile: (filter, snapLength) => preferred.compile(filter, snapLength),
    links: netns => preferred.links(netns),
    watchLinks: onChange => preferred.watchLinks(onChange),
    group: () => new SharedLimit(),
    setBufferBytesMax() {}, // each tap has one batch of 64 KiB, and packets wait in the session's ring
    changes: () => sumOf([...taps].map(tap => tap.counters())),
    buffer: () => ({ bytes: 0, highWaterBytes: 0, devices: [] }),
    pipe() {
      throw new TapError(
        'NOT_SUPPORTED',
        'Cannot make a live stream: the libpcap driver writes to files only, expected the ring driver',
      )
    },
    async open(spec: DriverSpec, onEvent: (event: TapEvent) => void) {
      const tap = await LibpcapTap.open(spec, preferred, onEvent)
      taps.add(tap)
      return tap
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(Array.from(taps, tap => tap.close()))
      taps.clear()
    },
  }
}

function sumOf(all: readonly TapCounters[]): number {
  return all.reduce(
    (sum, { received, dropped, packets, refused }) => sum + received + dropped + packets + refused,
    0,
  )
}

// An empty file stands for an interface: libpcap compiles the filter for Ethernet.
const emptyFile = pcapHeader(snapLengthMax)

async function compile(filter: string): Promise<number> {
  await using child = new PcapProcessHandle({ act: 'file', path: '-', filter })
  child.end(emptyFile)
  await firstMessage(child, `compile filter "${filter}"`)
  return 0
}

async function linksWithin(netns: string): Promise<readonly Link[]> {
  await using child = new PcapProcessHandle({ act: 'links' }, netns)
  const what = 'list interfaces'
  const control = await firstMessage(child, what)
  if (control.kind !== 'links')
    throw new TapError('NOT_SUPPORTED', `Cannot ${what}: expected links, got ${control.kind}`)
  return control.links
}
