// A disk that stops answering: an ext4 of its own in a file, which fsfreeze holds up. In: its size.
// Out: a directory on it, freeze() and thaw(). A keeper process has it mounted, and thaws and
// unmounts it when this process ends in any way.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'ava'
import type { Scope } from './namespace.ts'
import { type NetworkTest, networkRefusal, serialNetworkTest } from './privilege.ts'

/** One after another, since all taps of a process share one store; as root, who alone may mount. */
export const frozenDiskTest: NetworkTest =
  networkRefusal === undefined && !isFirstRoot()
    ? (title, run) => test.skip(`${title} (needs a mount: not the root of this machine)`, run)
    : serialNetworkTest

function isFirstRoot(): boolean {
  return /^\s*0\s+0\s+4294967295/.test(readFileSync('/proc/self/uid_map', 'utf8'))
}

// A process that waits for the disk cannot end, so it is thawed in any case after 20 s.
const keeper = `
cd "$0" && truncate -s "$1" image && mkfs.ext4 -q -F image && mkdir disk && mount -o loop image disk || exit
echo mounted
while true; do
  read -r -t 20 option; got=$?
  if [ $got -eq 0 ]; then fsfreeze "$option" disk; echo done
  else fsfreeze -u disk 2>/dev/null; [ $got -gt 128 ] || break
  fi
done
umount --lazy disk`

export type FrozenDisk = {
  readonly directory: string
  /** Every write waits from now on. */
  freeze(): Promise<void>
  thaw(): Promise<void>
}

export async function makeFrozenDisk(scope: Scope, mebibytes = 256): Promise<FrozenDisk> {
  const root = await mkdtemp(join(tmpdir(), 'selcap-frozen-'))
  const child = spawn('setsid', ['bash', '-c', keeper, root, `${mebibytes}M`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  scope.teardown(async () => {
    const ended = once(child, 'exit')
    child.stdin.end()
    await ended
    await rm(root, { recursive: true })
  })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<void> => {
    if ((await answers.next()).done) throw new Error('Cannot make a disk: the keeper ended')
  }
  const ask = (option: string): Promise<void> => {
    child.stdin.write(`${option}\n`)
    return answer()
  }
  await answer()
  return { directory: join(root, 'disk'), freeze: () => ask('-f'), thaw: () => ask('-u') }
}
