// One capturing process of a bench, told apart by its first argument: `ring` is this project's driver, `package` the `pcap`
// package with a JavaScript callback that writes the file. Prints `ready` when it captures, and its counters at the end of
// its standard input.   node peer.ts ring|package INTERFACE FILE RING_BYTES
// `ring` takes several interfaces and as many files, with commas between them.
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs'
import { ringDriver } from '../src/driver/ring/ringDriver.ts'
import { fileHeader } from '../src/pcap/fileHeader.ts'

const [kind, names = '', files = '', ringBytes = '2097152'] = process.argv.slice(2)
const interfaceNames = names.split(',')
const [interfaceName = ''] = interfaceNames
const fds = files.split(',').map((file, index) => openFile(file, interfaceNames[index] ?? ''))
const [fd = -1] = fds
const done = kind === 'ring' ? await captureByRing() : await captureByPackage()
process.stdout.write('ready\n')
process.stdin.resume().once('end', async () => {
  process.stdout.write(`${JSON.stringify(await done())}\n`)
  for (const each of fds) closeSync(each)
  process.exit()
})

type Result = { readonly packets: number; readonly dropped: number }

function openFile(file: string, name: string): number {
  const opened = openSync(file, 'a')
  const none = { endpoint: '', capture: '', node: '', filter: '' }
  writeSync(
    opened,
    fileHeader({ format: 'pcap', snapLength: 262_144, interfaceName: name, ...none }),
  )
  return opened
}

async function captureByRing(): Promise<() => Promise<Result>> {
  const driver = ringDriver()
  const taps = await Promise.all(
    fds.map((each, index) =>
      driver.open(
        {
          interfaceName: interfaceNames[index] ?? '',
          filter: '',
          snapLength: 262_144,
          payload: 'Full',
          format: 'pcap',
          insideIsPod: false,
          ringBytes: Number(ringBytes),
          group: undefined,
          sink: { fd: each, bytesLeft: 1e15, isEmpty: true, device: fstatSync(each).dev },
        },
        () => {},
      ),
    ),
  )
  return async () => {
    const counters = await Promise.all(taps.map(tap => tap.close()))
    const sum = (of: 'packets' | 'dropped'): number =>
      counters.reduce((total, each) => total + each[of], 0)
    return { packets: sum('packets'), dropped: sum('dropped') }
  }
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
