// The program with one session of the `pcap` package; its parent starts it by pcapProcessHandle.ts.
// In: the request as its argument; the end of standard input asks it to finish. Out: messages
// (pcapMessage.ts) on standard output, written synchronously, so that packets wait in the ring for
// a slow reader. Refuses with a message of the kind `refused`. It is a process of its own because
// only the end of a process frees what the package holds: a closed session on an idle interface
// keeps its ring and its handle in the event loop until the next packet, a refused filter leaks a
// ring, and a worker thread that opened a session aborts the process when it ends.
import { writeSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import pcap, { type PacketWithHeader } from 'pcap'
import { snapLengthMax } from '../../model/capture.ts'
import { ExpectedError } from '../../model/errors.ts'
import { MessageWriter, type PcapRequest } from './pcapMessage.ts'
import { readLinks } from './portableLinks.ts'

// The package's internal interface to libpcap. Its dispatch() reports a failed read, which the
// public one does not.
type Session = {
  readonly session: { dispatch(bytes: Buffer, header: Buffer): number; read_callback: () => void }
  readonly buf: Buffer
  readonly header: Buffer
  readonly link_type: string
  on(event: 'packet', listener: (packet: PacketWithHeader) => void): void
  stats(): { readonly ps_drop: number }
}
type SessionClass = new (...options: unknown[]) => Session // (isLive, device, filter, ring, snap length, out, monitor, block ms, promiscuous)
type LiveSession = PcapRequest & { readonly act: 'live' }

const blockMs = 50 // the kernel hands over a block of the ring when it is full or this old
const pollIntervalMs = 500 // under load the kernel may not wake the process for the last block before a pause
const openFailures =
  /no such device|permi|not up|network is down|cannot allocate|no buffer space|open/i
const Session = pcap.PcapSession as unknown as SessionClass
const out = new MessageWriter(write)

Object.assign(pcap, { warningHandler: () => {} }) // the package warns of interfaces without an IPv4 address
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {}) // sent to the process group: the parent ends this process
await run(JSON.parse(process.argv[2] ?? '') as PcapRequest)
process.exit(0)

async function run(request: PcapRequest): Promise<void> {
  try {
    if (request.act === 'live') await capture(request)
    else if (request.act === 'links') out.message({ kind: 'links', links: readLinks() })
    else read(request.path, request.filter)
    out.message({ kind: 'complete' })
  } catch (error) {
    const message = (error as Error).message
    const isFilter = 'filter' in request && request.filter !== '' && !openFailures.test(message)
    out.message({ kind: 'refused', during: isFilter ? 'filter' : 'open', message })
  }
  out.flush()
}

async function capture({
  interfaceName,
  filter,
  snapLength,
  ringBytes,
}: LiveSession): Promise<void> {
  const live = new Session(
    true,
    interfaceName,
    filter,
    ringBytes,
    snapLength,
    '',
    false,
    blockMs,
    false,
  )
  live.on('packet', take)
  const down = Promise.withResolvers<'down'>()
  const drops = dropCounter(live)
  const poll = () => {
    const count = live.session.dispatch(live.buf, live.header) // all there is; then 0, or less if it failed
    drops()
    out.flush()
    if (count < 0) down.resolve('down')
  }
  const pauses = watchPauses(live, poll)
  const timer = setInterval(poll, pollIntervalMs)
  out.message({ kind: 'ready', linkType: live.link_type })
  out.flush()
  const ending = await Promise.race([down.promise, inputEnded()])
  clearInterval(timer)
  clearInterval(pauses.timer)
  await wait(2 * blockMs) // by then the kernel has handed over the block that is not full
  poll()
  if (ending === 'down') out.message({ kind: 'down' })
}

/**
 * Being woken for nothing may mean that the interface was set down. The event loop does not wake us
 * again after that, though the socket goes on when the interface comes up: from then on we poll by
 * the clock.
 */
function watchPauses(live: Session, poll: () => void): { timer?: NodeJS.Timeout } {
  const pauses: { timer?: NodeJS.Timeout } = {}
  let packets = 0 // of this poll
  live.on('packet', () => packets++)
  live.session.read_callback = () => {
    packets = 0
    poll()
    if (packets > 0 || pauses.timer) return
    out.message({ kind: 'paused' })
    out.flush()
    pauses.timer = setInterval(poll, blockMs)
  }
  return pauses
}

/** Tells of drops when there are new ones. The package counts them in 32 bits. */
function dropCounter(live: Session): () => void {
  let dropped = 0
  let last = 0
  return () => {
    const now = live.stats().ps_drop >>> 0
    if (now === last) return
    dropped += (now - last) >>> 0
    last = now
    out.message({ kind: 'dropped', dropped })
  }
}

function read(path: string, filter: string): void {
  const file = new Session(false, path, filter, 0, snapLengthMax)
  out.message({ kind: 'ready', linkType: file.link_type })
  file.on('packet', take)
  if (file.session.dispatch(file.buf, file.header) < 0)
    throw new ExpectedError('the file is damaged, or ends within a record')
}

function take({ buf, header }: PacketWithHeader): void {
  out.packet(header, buf.subarray(0, header.readUInt32LE(8)))
}

function inputEnded(): Promise<'ended'> {
  return new Promise(resolve => process.stdin.on('end', () => resolve('ended')).resume())
}

function write(bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(1, bytes, done)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0) // the reader is gone
      throw error
    }
  }
}
