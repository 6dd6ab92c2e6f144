// Builds Kubernetes, the S3 server, Helm and Prometheus, which tests run, once, from the Go modules pinned in
// assets/, into a cache outside the tree. In: which set, `api` (etcd, kube-apiserver, kubectl),
// `node` (the rest of one real node as well), `stores`, `health`, `helm` or `prometheus`; or `for` and globs of test files: the
// sets that these need. Out: the programs, each put in place whole, so that nobody ever runs half
// of one. Two builders take turns.
import { spawn } from 'node:child_process'
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runLocked } from '../../../scripts/lock.mjs'
import { installPackages, missingPackages } from '../../../scripts/packages.mjs'
import { goCommand } from './go.ts'
import { toolSetsFor } from './toolSets.ts'
import {
  cacheOf,
  folders,
  missingTools,
  pinned,
  type Tool,
  type ToolSet,
  toolSets,
} from './tools.ts'

const [asked = 'api', ...rest] = process.argv.slice(2)
try {
  if (rest[0] === 'locked') await buildAll(missingTools(setNamed(asked)))
  else
    for (const set of asked === 'for' ? toolSetsFor(rest).map(asFar) : [setNamed(asked)]) make(set)
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}

function setNamed(name: string): ToolSet {
  return toolSets.find(each => each === name) ?? 'api'
}

/** A real node takes root: others have the API server alone. */
function asFar(set: ToolSet): ToolSet {
  return set === 'node' && process.getuid?.() !== 0 ? 'api' : set
}

function make(set: ToolSet): void {
  if (set === 'node' && missingPackages('node').length > 0)
    installPackages(missingPackages('node'), say)
  if (missingTools(set).length === 0) return
  const code = runLocked(join(cacheOf('kubernetes'), '.lock'), [
    process.execPath,
    import.meta.filename,
    set,
    'locked',
  ])
  if (code !== 0) throw new Error(`Cannot build the set "${set}": see above`)
}

async function buildAll(missing: readonly Tool[]): Promise<void> {
  for (const [index, tool] of missing.entries())
    await build(tool, `${index + 1} of ${missing.length}`)
}

async function build(tool: Tool, place: string): Promise<void> {
  const to = join(cacheOf(tool.module), tool.name)
  const half = `${to}.${process.pid}.tmp`
  mkdirSync(cacheOf(tool.module), { recursive: true })
  const beganMs = Date.now()
  say(
    `Building ${tool.name} of ${tool.module} ${pinned[tool.module]} (${place}), once: it is kept in ${cacheOf(tool.module)}`,
  )
  const beat = setInterval(() => say(`… ${tool.name}: ${seconds(beganMs)} s`), 30_000)
  try {
    await goBuild(tool, half)
    renameSync(half, to)
  } finally {
    clearInterval(beat)
    rmSync(half, { force: true })
  }
  say(`Built ${tool.name} in ${seconds(beganMs)} s`)
}

async function goBuild({ module, name, path }: Tool, to: string): Promise<void> {
  const { command, env } = goCommand(say)
  const args = [
    'build',
    '-trimpath',
    '-buildvcs=false',
    '-tags',
    'no_btrfs no_zfs no_devmapper remove_all_sd', // Prometheus discovers nothing but what a file says
    '-ldflags',
    `-s -w ${stamps()}`,
    '-o',
    to,
    path,
  ]
  const child = spawn(command, args, {
    cwd: folders[module],
    env: { ...env, CGO_ENABLED: '0', GOWORK: 'off' },
    stdio: ['ignore', 2, 'pipe'],
  })
  const heard: string[] = []
  child.stderr?.setEncoding('utf8').on('data', (text: string) => void heard.push(text)) // mostly names of downloads
  const code = await new Promise((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  )
  if (code !== 0)
    throw new Error(
      `Cannot build ${name}: go ended with ${code}\n${heard.join('').split('\n').slice(-20).join('\n')}`,
    )
}

/** What `kubectl version` tells, and the API server's discovery. */
function stamps(): string {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(pinned.kubernetes) ?? []
  const values = {
    gitVersion: pinned.kubernetes,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
  }
  return Object.entries(values)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(' ')
}

function seconds(sinceMs: number): number {
  return Math.round((Date.now() - sinceMs) / 1000)
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
