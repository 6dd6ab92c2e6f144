// Starts tcpdump without rights, because packets are hostile input. In: arguments and where its
// streams go. Out: a running tcpdump. A child of root runs as uid 65534 without capabilities. In a
// user namespace without that uid nothing is dropped, because there is nothing to drop. Throws
// ENOENT without a tcpdump, and EPERM if this process may not change its uid.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'

const nobodyUid = 65_534

export async function unprivilegedTcpdump(
  args: readonly string[],
  options: Pick<SpawnOptions, 'stdio' | 'env'>,
): Promise<ChildProcess> {
  if (process.getuid?.() !== 0) return started(args, options)
  try {
    return await started(args, { ...options, uid: nobodyUid, gid: nobodyUid })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
    return started(['-Z', 'root', ...args], options)
  }
}

async function started(args: readonly string[], options: SpawnOptions): Promise<ChildProcess> {
  const child = spawn('tcpdump', args, { ...options, cwd: '/' })
  await once(child, 'spawn')
  return child
}
