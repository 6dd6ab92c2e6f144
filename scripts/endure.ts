// npm run endure: faults at random against standalone and an agent with a real API server, an audit
// of every packet after each. --minutes N (10), --seed S to repeat a run, --only standalone|agent,
// --faults a,b to choose, --plant to see it fail. In: options. Out: the seed, a line for each fault,
// the sums; exit code 1 if an audit failed. Everything happens in a network and a mount namespace
// that end with it.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { readOptions } from '../test/endure/options.ts'
import { root } from '../test/support/repository.ts'

const { minutes, seed, targets, faults, isPlanted } = readOptions(process.argv.slice(2))
if (process.getuid?.() !== 0) {
  process.stdout.write('Skipped: file systems are mounted and frozen, which takes root\n')
  process.exit()
}
if (targets.includes('agent')) {
  const build = [join(root, 'test', 'support', 'kube', 'build.ts'), 'api']
  const { status } = spawnSync(process.execPath, build, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
process.stdout.write(`Seed ${seed}: ${minutes} minutes against ${targets.join(' and ')}\n`)
const options = [
  ...['--minutes', String(minutes), '--seed', String(seed), '--faults', faults.join(',')],
  ...(targets.length === 1 ? ['--only', String(targets[0])] : []),
  ...(isPlanted ? ['--plant'] : []),
]
const inside = ['--net', '--mount', 'setpriv', '--pdeathsig', 'KILL', '--', process.execPath]
const script = join(root, 'test', 'endure', 'run.ts')
const child = spawn('unshare', [...inside, script, ...options], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => child.kill(signal))
const [code] = await once(child, 'exit')
process.exitCode = typeof code === 'number' ? code : 1
