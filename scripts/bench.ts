// npm run bench: every bench of bench/, one after another, and one table of their figures beside
// the last committed ones. In: names of benches (default: all), --save to write bench/results.json
// for the next commit. Out: the table; exit code 1 if one fails. A bench's figures are the last
// line of JSON that it prints; one without such a line is shown as it is. Benches need root, a
// quiet machine and up to an hour.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from '../test/support/repository.ts'
import { installPackages, missingPackages } from './packages.mjs'

type Figures = Readonly<Record<string, number>>

const all = [
  'selector',
  'cpu',
  'loss',
  'observed',
  'stall',
  'stream',
  'memory',
  'latency',
  'window',
  'clusterMemory',
  'cluster',
  'download',
  'scale',
]
const results = join(root, 'bench', 'results.json')
const { values, positionals } = parseArgs({
  options: { save: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const unknown = positionals.filter(name => !all.includes(name))
if (unknown.length > 0)
  throw new RangeError(`Cannot run ${unknown.join(', ')}: expected of ${all.join(', ')}`)

const missing = missingPackages('bench')
if (missing.length > 0) installPackages(missing, text => process.stderr.write(`${text}\n`))

const committed: Record<string, Figures> = existsSync(results)
  ? JSON.parse(readFileSync(results, 'utf8'))
  : {}
const measured: Record<string, Figures> = {}
for (const name of positionals.length > 0 ? positionals : all) {
  process.stderr.write(`bench/${name}.ts\n`)
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'bench', `${name}.ts`)], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.stderr.write(stdout)
  const line = stdout
    .trimEnd()
    .split('\n')
    .findLast(text => text.startsWith('{'))
  if (status !== 0) {
    process.stderr.write(`bench/${name}.ts ended with ${status}\n`)
    process.exitCode = 1
  } else if (line !== undefined) measured[name] = figuresOf(JSON.parse(line))
}
for (const [name, figures] of Object.entries(measured))
  for (const [figure, value] of Object.entries(figures))
    process.stdout.write(`${rowOf(`${name} ${figure}`, value, committed[name]?.[figure])}\n`)
if (values.save)
  writeFileSync(results, `${JSON.stringify({ ...committed, ...measured }, undefined, 2)}\n`)

/** Numbers by their path: { a: { b: [1, 2] } } has "a.b.0" and "a.b.1". */
function figuresOf(value: unknown, path = ''): Figures {
  if (typeof value === 'number') return { [path]: value }
  if (typeof value !== 'object' || value === null) return {}
  return Object.assign(
    {},
    ...Object.entries(value).map(([key, each]) =>
      figuresOf(each, path === '' ? key : `${path}.${key}`),
    ),
  )
}

function rowOf(name: string, value: number, before: number | undefined): string {
  const change =
    before === undefined || before === 0
      ? ''
      : `${value > before ? '+' : ''}${(100 * (value / before - 1)).toFixed(0)} %`
  return [
    name.padEnd(48),
    shown(value).padStart(12),
    (before === undefined ? '-' : shown(before)).padStart(12),
    change.padStart(8),
  ].join(' ')
}

function shown(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4)
}
