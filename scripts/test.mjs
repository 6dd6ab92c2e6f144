// The test run: `node scripts/test.mjs [unit|integration] [arguments for AVA: files, --match …]`.
// Closes with its slowest tests and the line `N passed, N failed`. A whole run tries the files of a
// few failures once more, alone, and names what passes then.
//   unit         test/unit, test/worlds, test/repo: no set-up, right after `npm ci`; properties try
//                fewer cases, and a worker runs many files (unitGroups.mjs)
//   integration  test/integration, after setting up and building the programs that the chosen tests need
//   neither      everything
// Root tests with real network namespaces; an ordinary user does the same inside a user namespace
// of their own, where the system allows one. Elsewhere test/support/net/privilege.ts skips those
// tests, by name.
import { spawn, spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { nodeToRun, root } from './bundled.mjs'
import { untrackedFiles } from './leftovers.mjs'
import { searchPath } from './packages.mjs'
import { TapCount } from './tap.mjs'
import { makeUnitGroups } from './unitGroups.mjs'

const sets = {
  unit: ['test/unit/**/*.test.ts', 'test/worlds/**/*.test.ts', 'test/repo/**/*.test.ts'],
  integration: ['test/integration/**/*.test.ts'],
}
const slowestShown = 20
const againMax = 5 // files
const [first, ...others] = process.argv.slice(2)
const set = Object.hasOwn(sets, first ?? '') ? first : undefined
const args = set ? others : process.argv.slice(2)
const given = args.filter(arg => arg.startsWith('test/') || arg.endsWith('.ts'))
const flags = args.filter(arg => !given.includes(arg))
const files = given.length > 0 ? given : set ? sets[set] : Object.values(sets).flat()
const atOnce = Math.min(4, availableParallelism() + 1) // integration tests mostly wait
const beganMs = Date.now()
const untracked = new Set(untrackedFiles())

if (set !== 'unit') {
  prepare(process.execPath, 'scripts/setup.mjs')
  prepare(nodeToRun(), 'test/support/kube/build.ts', 'for', ...files)
}
const { prefix, env } = set === 'unit' ? { prefix: [], env: unitEnvironment() } : network()
const count = new TapCount()
// A file of unit tests has a thread, which starts at once; one of integration tests a process: Node
// may fall over at the end of a thread that holds connections, and takes the whole run with it.
const isIntegration = file => /(^|\/)test\/integration\//.test(file)
await ava(filesToRun().filter(file => !isIntegration(file)))
await ava(filesToRun().filter(isIntegration), { isThreaded: false })
const unsteady = args.length === 0 ? await runAgain() : []
// Once more in threads: there the addon is loaded, and let go, many times by one process. What fails
// only there is not tried again.
if (set !== 'unit' && args.length === 0) {
  const threads = new TapCount()
  await ava(['test/integration/node/native/**/*.test.ts'], { into: threads })
  count.add(threads)
}
close()

/**
 * On a busy machine a test may fail for want of time. The files of a few failures run once more,
 * alone: what passes then is told apart, as a test to mend.
 */
async function runAgain() {
  const testFiles = [...new Set(count.failures.map(({ testFile }) => testFile))]
  if (testFiles.length === 0 || testFiles.length > againMax) return []
  print(`Once more, alone:\n  ${testFiles.map(file => relative(root, file)).join('\n  ')}`)
  const again = new TapCount()
  await ava(testFiles, { isThreaded: false, most: 1, into: again })
  return count.replace(testFiles, again)
}

/** What Node compiles is kept from run to run; properties try fewer cases. */
function unitEnvironment() {
  const NODE_COMPILE_CACHE = join(root, 'node_modules', '.cache', 'selcap-tests')
  return { NODE_COMPILE_CACHE, WORLDS: '100', ...process.env }
}

/** Without arguments, unit tests run in groups. */
function filesToRun() {
  if (args.length > 0 || set === 'integration') return files
  return [...makeUnitGroups(), ...(set === 'unit' ? [] : sets.integration)]
}

function prepare(node, script, ...rest) {
  const { status } = spawnSync(node, [join(root, script), ...rest], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/**
 * How the tests get network namespaces: nothing to add, a command that wraps the run, or not at
 * all.
 */
function network() {
  const own = ['unshare', '--net', '--mount']
  // The user keeps their own number, with capabilities: as "root" tcpdump would want to become
  // another user, and cannot.
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
  say(
    'No network namespaces here (neither root nor user namespaces): the tests that need one are skipped. As root: sudo npm test',
  )
  return { prefix: [], env }
}

function works([command, ...rest], env) {
  return spawnSync(command, rest, { env, stdio: 'ignore' }).status === 0
}

async function ava(testFiles, { isThreaded = true, most = atOnce, into = count } = {}) {
  if (testFiles.length === 0) return
  const [command, ...rest] = [
    ...prefix,
    nodeToRun(),
    join(root, 'node_modules', 'ava', 'entrypoints', 'cli.js'),
    '--tap',
    '--config=scripts/ava.config.mjs',
    `--concurrency=${most}`,
    ...(isThreaded ? [] : ['--no-worker-threads']),
    ...flags,
    ...testFiles,
  ]
  const child = spawn(command, rest, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve, reject) =>
    child.once('error', reject).once('close', (code, signal) => resolve(code ?? signal)),
  )
  const beat = setInterval(
    () => say(`… ${count.passed} passed, ${count.failed} failed after ${seconds()} s`),
    20_000,
  )
  for await (const line of createInterface({ input: child.stdout })) print(into.take(line))
  clearInterval(beat)
  print(into.end(await ended, flags.length > 0))
}

function close() {
  const left = untrackedFiles().filter(path => !untracked.has(path))
  if (left.length > 0) {
    count.failed++
    print(['✘ Files are in the checkout that were not there before the run:', ...left].join('\n  '))
  }
  const { passed, failed, skipped } = count
  if (skipped.length > 0) print(['Skipped:', ...skipped].join('\n  '))
  if (unsteady.length > 0) {
    const names = unsteady.map(({ testFile, title }) => `${relative(root, testFile)}: ${title}`)
    print(['Unsteady, failed once and passed alone:', ...names].join('\n  '))
  }
  const slow = count.slowest(slowestShown)
  const told = slow.map(
    ({ ms, testFile, title }) =>
      `${(ms / 1_000).toFixed(1).padStart(7)} s  ${relative(root, testFile)}: ${title}`,
  )
  if (told.length > 0) print(['Slowest, one test a file:', ...told].join('\n'))
  print(`Ran for ${seconds()} s\n`)
  print(
    `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`,
  )
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
