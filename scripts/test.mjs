// npm test: sets up, then runs AVA and closes with the line `N passed, N failed`. In: arguments for AVA (files, --match …).
// Root tests with real network namespaces; an ordinary user does the same inside a user namespace of their own, where the
// system allows one. Elsewhere test/support/net/privilege.ts skips those tests, by name.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { nodeToRun, root } from './bundled.mjs'
import { untrackedFiles } from './leftovers.mjs'
import { searchPath } from './packages.mjs'
import { TapCount } from './tap.mjs'

const args = process.argv.slice(2)
const workers = ['--concurrency', String(Math.min(4, availableParallelism()))]
const beganMs = Date.now()
const untracked = new Set(untrackedFiles())

prepare(process.execPath, 'scripts/setup.mjs')
if (wants('integration/kube') || wants('integration/deploy'))
  prepare(nodeToRun(), 'test/support/kube/build.ts', process.getuid?.() === 0 ? 'node' : 'api') // a real node takes root
if (wants('integration/stores') || wants('integration/kube')) prepare(nodeToRun(), 'test/support/kube/build.ts', 'stores')
const { prefix, env } = network()
const count = new TapCount()
await ava([...workers, ...args])
// Once more without worker threads: there the addon is loaded, and let go, by whole processes.
if (args.length === 0 && existsSync(join(root, 'test', 'integration', 'node', 'native')))
  await ava([...workers, '--no-worker-threads', 'test/integration/node/native/**/*.test.ts'])
close()

function prepare(node, script, ...rest) {
  const { status } = spawnSync(node, [join(root, script), ...rest], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/** Whether these arguments reach the tests in a folder: all do that name no file. */
function wants(folder) {
  const files = args.filter(arg => arg.includes('test/'))
  return existsSync(join(root, 'test', folder)) && (files.length === 0 || files.some(file => file.includes(`test/${folder}`)))
}

/** How the tests get network namespaces: nothing to add, a command that wraps the run, or not at all. */
function network() {
  const own = ['unshare', '--net', '--mount']
  // The user keeps their own number, with capabilities: as "root" tcpdump would want to become another user, and cannot.
  const wrapped = [
    ...own,
    '--user',
    '--map-current-user',
    '--keep-caps',
    'sh',
    '-c',
    'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"',
    'sh',
  ]
  const env = { ...process.env, PATH: searchPath }
  if (works([...own, 'true'], env)) return { prefix: [], env }
  if (works([...wrapped, 'ip', 'netns', 'add', 'probe'], env)) return { prefix: wrapped, env }
  say('No network namespaces here (neither root nor user namespaces): the tests that need one are skipped. As root: sudo npm test')
  return { prefix: [], env }
}

function works([command, ...rest], env) {
  return spawnSync(command, rest, { env, stdio: 'ignore' }).status === 0
}

async function ava(flags) {
  const [command, ...rest] = [...prefix, nodeToRun(), join(root, 'node_modules', 'ava', 'entrypoints', 'cli.js'), '--tap', ...flags]
  const child = spawn(command, rest, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve, reject) => child.once('error', reject).once('close', (code, signal) => resolve(code ?? signal)))
  const beat = setInterval(() => say(`… ${count.passed} passed, ${count.failed} failed after ${seconds()} s`), 20_000)
  for await (const line of createInterface({ input: child.stdout })) print(count.take(line))
  clearInterval(beat)
  print(count.end(await ended))
}

function close() {
  const left = untrackedFiles().filter(path => !untracked.has(path))
  if (left.length > 0) {
    count.failed++
    print(['✘ Files are in the checkout that were not there before the run:', ...left].join('\n  '))
  }
  const { passed, failed, skipped } = count
  if (skipped.length > 0) print(['Skipped:', ...skipped].join('\n  '))
  print(`Ran for ${seconds()} s\n`)
  print(`${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}

function seconds() {
  return Math.round((Date.now() - beganMs) / 1000)
}

function print(text) {
  if (text !== undefined) process.stdout.write(`${text}\n`)
}

function say(text) {
  process.stderr.write(`${text}\n`)
}
