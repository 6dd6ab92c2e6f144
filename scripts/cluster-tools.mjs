// Builds the Kubernetes that the cluster tests run, once, from the Go modules pinned in test/cluster/assets, into a cache
// outside the tree. In: which set, `api` (etcd, kube-apiserver, kubectl) or `node` (the rest of one real node as well).
// Out: the programs, each put in place whole, so that nobody ever runs half of one. KUBEBUILDER_ASSETS comes first.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheOf, missingTools, pinned } from './cluster-cache.mjs'
import { goCommand } from './go.mjs'
import { runLocked } from './lock.mjs'

const version = /^v(\d+)\.(\d+)/.exec(pinned.kubernetes)
const stamps = Object.entries({ gitVersion: pinned.kubernetes, gitMajor: version[1], gitMinor: version[2], gitTreeState: 'clean' })
const stampFlags = stamps.map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`).join(' ')

const [set = 'api', locked] = process.argv.slice(2)
const missing = missingTools(set)
if (missing.length > 0 && locked !== 'locked') {
  process.exitCode = runLocked(join(cacheOf('kubernetes'), '.lock'), [process.execPath, fileURLToPath(import.meta.url), set, 'locked'])
} else {
  for (const [index, tool] of missing.entries()) await build(tool, `${index + 1} of ${missing.length}`)
}

async function build(tool, place) {
  const to = join(cacheOf(tool.module), tool.name)
  const half = `${to}.${process.pid}.tmp`
  mkdirSync(cacheOf(tool.module), { recursive: true })
  const beganMs = Date.now()
  say(`Building ${tool.name} ${pinned[tool.module]} (${place}): once, then it is kept in ${cacheOf(tool.module)}`)
  const beat = setInterval(() => say(`… ${tool.name}: ${seconds(beganMs)} s`), 30_000)
  try {
    await go(
      [
        'build',
        '-trimpath',
        '-buildvcs=false',
        '-tags',
        'no_btrfs no_zfs no_devmapper',
        '-ldflags',
        `-s -w ${stampFlags}`,
        '-o',
        half,
        tool.path,
      ],
      tool.folder,
    )
    renameSync(half, to)
  } finally {
    clearInterval(beat)
    rmSync(half, { force: true })
  }
  say(`Built ${tool.name} in ${seconds(beganMs)} s`)
}

async function go(args, cwd) {
  const { command, env } = goCommand(say)
  const child = spawn(command, args, { cwd, env: { ...env, CGO_ENABLED: '0', GOWORK: 'off' }, stdio: ['ignore', 2, 'inherit'] })
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve))
  if (code !== 0) throw new Error(`Cannot build in ${cwd}: go ${args[0]} ended with ${code}`)
  if (!existsSync(args[args.indexOf('-o') + 1])) throw new Error(`Cannot build in ${cwd}: go made no file`)
}

function seconds(sinceMs) {
  return Math.round((Date.now() - sinceMs) / 1000)
}

function say(text) {
  process.stderr.write(`${text}\n`)
}
