// Makes a checkout ready to run: system packages, node_modules, native code. In: a tree in any
// state. Out: a ready one, or a message with the command to run. Plain JavaScript for Node >= 20,
// because it runs before anything is installed. Quiet and quick when there is nothing to do; two at
// once in one tree take turns.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isLinked, linkBundled, root } from './bundled.mjs'
import { runLocked } from './lock.mjs'
import { installPackages, missingPackages } from './packages.mjs'

const script = fileURLToPath(import.meta.url)
const steps = [
  {
    isDone: () => process.platform !== 'linux' || missingPackages('base').length === 0,
    run: () => installPackages(missingPackages('base'), say),
  },
  { isDone: modulesAreThere, run: installModules },
  { isDone: isLinked, run: linkBundled },
  { isDone: () => nativeToBuild().length === 0, run: buildNative },
]

try {
  process.exitCode = setUp(process.argv[2] === 'locked')
} catch (error) {
  say(error.message)
  process.exitCode = 1
}

/** The exit code; throws with what the person has to do, if this could not do it. */
function setUp(isLocked) {
  if (Number(process.versions.node.split('.')[0]) < 20)
    throw new Error(`Cannot set up with Node ${process.versions.node}: expected 20 or newer`)
  if (steps.every(({ isDone }) => isDone())) return 0
  if (!isLocked)
    return runLocked(join(root, '.cache', 'setup.lock'), [process.execPath, script, 'locked'])
  for (const { isDone, run } of steps) if (!isDone()) run()
  return 0
}

function modulesAreThere() {
  const installed = changedMs(join(root, 'node_modules', '.package-lock.json'))
  return installed >= changedMs(join(root, 'package-lock.json')) && installed > 0
}

function installModules() {
  say('Installing npm packages')
  // Scripts are ours to run (buildNative), and no setting of the user's may leave out what the
  // tests need.
  const flags = [
    '--ignore-scripts',
    '--include=dev',
    '--include=optional',
    '--engine-strict=false',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--loglevel=error',
  ]
  command('npm', ['ci', ...flags])
}

function buildNative() {
  for (const { folder } of nativeToBuild()) {
    say(`Building ${folder}`)
    command(process.execPath, [join(root, 'scripts', 'postinstall.mjs'), folder])
  }
}

/** Folders whose build is missing or older than their sources. */
function nativeToBuild() {
  return ['node_modules/pcap', 'native']
    .map(folder => ({ folder, path: join(root, folder) }))
    .filter(({ path }) => {
      if (!existsSync(join(path, 'binding.gyp'))) return false
      return builtMs(join(path, 'build', 'Release')) < newestSourceMs(path)
    })
}

function builtMs(folder) {
  const built = existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.node')) : []
  return Math.max(0, ...built.map(name => changedMs(join(folder, name))))
}

function newestSourceMs(folder) {
  const entries = readdirSync(folder, { withFileTypes: true }).filter(
    ({ name }) => name !== 'build' && name !== 'node_modules',
  )
  const folders = entries.filter(entry => entry.isDirectory())
  const sources = entries.filter(({ name }) => /\.(c|cc|cpp|h|hpp|gyp)$/.test(name))
  const times = [
    ...folders.map(({ name }) => newestSourceMs(join(folder, name))),
    ...sources.map(({ name }) => changedMs(join(folder, name))),
  ]
  return Math.max(1, ...times) // 1: what was never built is older
}

function changedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function command(name, args) {
  const { status, error } = spawnSync(name, args, { cwd: root, stdio: ['ignore', 2, 'inherit'] })
  if (status !== 0)
    throw new Error(`Cannot set up: ${name} ${args[0]} ended with ${error?.message ?? status}`)
}

function say(text) {
  process.stderr.write(`${text}\n`)
}
