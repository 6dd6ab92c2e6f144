// Namespaces of a node's own: network, mounts, processes. Whatever happens inside, pods and their
// mounts included, is gone with its first process, which goes with ours. Nothing of the machine is
// touched but a cgroup directory, removed at the end.
//   const space = await makeSpace()
//   spawn(...space.within, 'ip', 'link')     space.address: the node's address, on a veth pair that leads nowhere
//   await space.close()
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../until.ts'

export const nodeAddress = '198.18.0.1' // of the network set aside for tests (RFC 2544)
export const podNetwork = '10.244.0.0/24'

const cgroups = '/sys/fs/cgroup'
const prefix = 'selcap-node-'

// /run/netns is shared, so that a pod that mounts it sees the namespaces of pods made later; what
// `ip netns` has mounted there on the machine goes first, since containerd would still find it
// below. bash, because it buries the processes whose parents have died.
const script = `set -e
while umount /run/netns 2>/dev/null; do :; done
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /var/log
mkdir /run/netns /run/lock
mount -t tmpfs tmpfs /run/netns
mount --make-shared /run/netns
ip link set lo up
ip link add name node type veth peer name nowhere
ip address add ${nodeAddress}/24 dev node
ip link set node up
ip link set nowhere up
ip route add default via 198.18.0.254 dev node
echo 1 >/proc/sys/net/ipv4/ip_forward
echo held
read -r _`

export class Space implements AsyncDisposable {
  readonly address = nodeAddress
  /** A directory in every cgroup hierarchy, for all that the node runs. */
  readonly cgroup: string
  readonly #holder: ChildProcess

  constructor(holder: ChildProcess, cgroup: string) {
    this.#holder = holder
    this.cgroup = cgroup
  }

  /** A command that runs another inside, and takes it along when it dies. */
  get within(): readonly string[] {
    const { pid } = this.#holder
    return [
      'nsenter',
      `--target=${pid}`,
      '--net',
      '--mount',
      `--pid=/proc/${pid}/ns/pid_for_children`,
      '--',
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
    ]
  }

  run(command: string, ...args: string[]): Promise<string> {
    const [nsenter = '', ...rest] = [...this.within, command, ...args]
    return new Promise((resolve, reject) => {
      execFile(
        nsenter,
        rest,
        { timeout: 240_000, maxBuffer: 64 * 1024 * 1024 },
        (error, out, err) => {
          if (error)
            reject(
              new Error(
                `Cannot run ${command} ${args.join(' ')} on the node: ${err || error.message}`,
                { cause: error },
              ),
            )
          else resolve(out)
        },
      )
    })
  }

  /** Ends every process inside. Twice is fine. */
  async close(): Promise<void> {
    if (this.#holder.exitCode === null && this.#holder.signalCode === null) {
      const ended = once(this.#holder, 'exit')
      this.#holder.kill('SIGKILL')
      await ended
    }
    await removeCgroups(this.cgroup)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

export async function makeSpace(): Promise<Space> {
  for (const left of orphans()) await removeCgroups(left)
  const flags = [
    '--net',
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
  ]
  const holder = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', '--', 'unshare', ...flags, 'bash', '-c', script],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  const [said] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')])
  if (String(said) !== 'held\n')
    throw new Error(
      `Cannot make namespaces for a node: unshare ended with ${said}; expected to be root`,
    )
  const space = new Space(holder, `${prefix}${process.pid}-${holder.pid}`)
  try {
    for (const hierarchy of hierarchies()) mkdirSync(join(hierarchy, space.cgroup))
    return space
  } catch (error) {
    await space.close()
    throw error
  }
}

/** The mount points of cgroup version 1, else the one of version 2. */
function hierarchies(): string[] {
  if (existsSync(join(cgroups, 'cgroup.procs'))) return [cgroups]
  return readdirSync(cgroups)
    .map(name => join(cgroups, name))
    .filter(path => existsSync(join(path, 'cgroup.procs')))
}

function orphans(): string[] {
  const names = new Set(
    hierarchies()
      .flatMap(path => readdirSync(path))
      .filter(name => name.startsWith(prefix)),
  )
  return [...names].filter(name => !existsSync(`/proc/${name.slice(prefix.length).split('-')[0]}`))
}

/** Processes that were killed take a moment to leave their cgroup. */
async function removeCgroups(name: string): Promise<void> {
  for (const path of hierarchies()
    .map(hierarchy => join(hierarchy, name))
    .filter(existsSync))
    await until(`the last process to leave ${path}`, () => removeTree(path))
}

function removeTree(path: string): boolean {
  const below = readdirSync(path, { withFileTypes: true }).filter(entry => entry.isDirectory())
  if (!below.map(entry => removeTree(join(path, entry.name))).every(Boolean)) return false
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false
    throw error
  }
}
