// One capturing process of a bench, told apart by its first argument: `ring` is this project's driver, `package` the `pcap`
// package with a JavaScript callback that writes the file. Prints `ready` when it captures, and its counters at the end of
// its standard input.   node peer.ts ring|package INTERFACE FILE RING_BYTES
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs'
import { ringDriver } from '../src/driver/ring/ringDriver.ts'
import { fileHeader } from '../src/pcap/fileHeader.ts'

const [kind, interfaceName = '', file = '', ringBytes = '2097152'] = process.argv.slice(2)
const fd = openSync(file, 'a')
writeSync(
  fd,
  fileHeader({
    format: 'pcap',
    snapLength: 262_144,
    interfaceName,
    endpoint: '',
    capture: '',
    node: '',
    filter: '',
  }),
)
const done = kind === 'ring' ? await captureByRing() : await captureByPackage()
process.stdout.write('ready\n')
process.stdin.resume().once('end', async () => {
  process.stdout.write(`${JSON.stringify(await done())}\n`)
  closeSync(fd)
  process.exit()
})

type Result = { readonly packets: number; readonly dropped: number }

async function captureByRing(): Promise<() => Promise<Result>> {
  const tap = await ringDriver().open(
    {
      interfaceName,
      filter: '',
      snapLength: 262_144,
      payload: 'Full',
      format: 'pcap',
      insideIsPod: false,
      ringBytes: Number(ringBytes),
      group: undefined,
      sink: { fd, bytesLeft: 1e15, isEmpty: true, device: fstatSync(fd).dev },
    },
    () => {},
  )
  return async () => tap.close()
}

async function captureByPackage(): Promise<() => Promise<Result>> {
  const { default: pcap } = await import('pcap')
  const session = pcap.createSession(interfaceName, {
    buffer_size: Number(ringBytes),
    snap_length: 262_144,
  })
  const state = { packets: 0 }
  session.on('packet', ({ header, buf }: { header: Buffer; buf: Buffer }) => {
    const captured = header.readUInt32LE(8)
    writeSync(fd, Buffer.concat([header.subarray(0, 16), buf.subarray(0, captured)]))
    state.packets++
  })
  return async () => ({
    packets: state.packets,
    dropped: (session.stats() as { ps_drop: number }).ps_drop,
  })
}
