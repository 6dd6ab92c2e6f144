// An interface without an Ethernet header: a tun device of a Python process, which writes the IP
// packets it is given into it, so that the interface receives them. It goes with the process.
//   const tun = await makeTun(t, { hardwareType: 0xfffe, namespace })
//   await tun.receive([packet, …])
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import type { Namespace, Scope } from './namespace.ts'
import { uniqueName } from './namespace.ts'

const program = `
import fcntl, os, struct, subprocess, sys
name, kind = sys.argv[1], int(sys.argv[2])
fd = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', name.encode(), 0x1001)) # IFF_TUN | IFF_NO_PI
fcntl.ioctl(fd, 0x400454cd, kind) # TUNSETLINK: the hardware type, while it is down
subprocess.run(['sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/%s/disable_ipv6' % name], stderr=subprocess.DEVNULL)
subprocess.run(['ip', 'link', 'set', name, 'up'], check=True)
print('made', flush=True)
for line in sys.stdin:
    for packet in line.split(): os.write(fd, bytes.fromhex(packet))
    print('written', flush=True)
`

export type Tun = {
  readonly name: string
  receive(packets: readonly Uint8Array[]): Promise<void>
}

export async function makeTun(
  scope: Scope,
  { hardwareType, namespace }: { readonly hardwareType: number; readonly namespace?: Namespace },
): Promise<Tun> {
  const name = uniqueName()
  const args = ['python3', '-c', program, name, `${hardwareType}`]
  const enter = namespace ? ['nsenter', `--net=${namespace.path}`, ...args] : args
  const [command = '', ...rest] = enter
  const process = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  scope.teardown(() => end(process))
  const lines = createInterface(process.stdout)
  await said(lines, process, 'made')
  return {
    name,
    receive: async packets => {
      const written = said(lines, process, 'written')
      process.stdin.write(`${packets.map(each => Buffer.from(each).toString('hex')).join(' ')}\n`)
      await written
    },
  }
}

async function said(lines: Interface, process: ChildProcess, expected: string): Promise<void> {
  const [line] = await Promise.race([once(lines, 'line'), once(process, 'exit')])
  if (line !== expected) throw new Error(`Cannot use the tun device: its process said "${line}"`)
}

async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return
  const ended = once(process, 'exit')
  process.stdin?.end()
  await ended
}
