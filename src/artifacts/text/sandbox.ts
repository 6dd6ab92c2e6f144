// tcpdump with as few rights as there are: packets are hostile input. Root's child becomes nobody, and has no capability from then
// on; a user namespace that knows no nobody gives nothing either. In: arguments and where its streams go. Out: it runs, or what
// the system said: ENOENT where there is none, EPERM where this process may not become nobody.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'

const nobodyUid = 65_534

export async function tcpdumpAsNobody(args: readonly string[], options: Pick<SpawnOptions, 'stdio' | 'env'>): Promise<ChildProcess> {
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
