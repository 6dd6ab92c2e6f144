// npm run coverage: which lines of src and grammar the unit tests run. In: arguments of
// scripts/test.mjs. Out: covered lines by folder. V8 counts; Node strips types without moving
// anything, so V8's positions are those of the sources. A line is covered when any worker ran what
// begins on it.
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeToRun, root } from './bundled.mjs'

const directory = mkdtempSync(join(tmpdir(), 'selcap-coverage-'))
const env = { ...process.env, NODE_V8_COVERAGE: directory, NODE_DISABLE_COMPILE_CACHE: '1' }
const { status } = spawnSync(
  nodeToRun(),
  [join(root, 'scripts', 'test.mjs'), 'unit', ...process.argv.slice(2)],
  { stdio: 'inherit', env },
)
process.exitCode = status ?? 1

/** Path → for each character of the file, whether any worker ran it. */
const covered = new Map()
for (const name of readdirSync(directory)) {
  const { result } = JSON.parse(readFileSync(join(directory, name), 'utf8'))
  for (const { url, functions } of result) {
    const path = url.startsWith('file:') ? relative(root, fileURLToPath(url)) : ''
    if (/^(src|grammar)\/.*\.ts$/.test(path)) add(path, functions)
  }
}
rmSync(directory, { recursive: true })

const folders = new Map()
for (const path of globSync('{src,grammar}/**/*.ts', { cwd: root }).toSorted()) {
  const folder = folders.get(dirname(path)) ?? { lines: 0, covered: 0 }
  const [lines, hit] = linesOf(path)
  folders.set(dirname(path), { lines: folder.lines + lines, covered: folder.covered + hit })
}
for (const [folder, counts] of folders) show(folder, counts)
const sum = key => [...folders.values()].reduce((total, counts) => total + counts[key], 0)
show('all', { lines: sum('lines'), covered: sum('covered') })

function add(path, functions) {
  const before = covered.get(path)
  const now = new Uint8Array(readFileSync(join(root, path), 'utf8').length)
  // Inner ranges come after outer ones, and decide.
  for (const { ranges } of functions)
    for (const { startOffset, endOffset, count } of ranges)
      now.fill(count > 0 ? 1 : 0, startOffset, endOffset)
  covered.set(path, before ? now.map((each, at) => each | before[at]) : now)
}

/** How many lines of code there are, and how many of them were run. */
function linesOf(path) {
  const ran = covered.get(path)
  let [at, lines, hit] = [0, 0, 0]
  for (const line of readFileSync(join(root, path), 'utf8').split('\n')) {
    const first = at + line.length - line.trimStart().length
    if (/^\s*[^\s/*}\])]/.test(line)) {
      lines++
      if (ran?.[first]) hit++
    }
    at += line.length + 1
  }
  return [lines, hit]
}

function show(name, { lines, covered: hit }) {
  const percent = lines === 0 ? 100 : (100 * hit) / lines
  process.stdout.write(
    `${name.padEnd(32)} ${String(hit).padStart(6)} of ${String(lines).padStart(6)} lines ${percent.toFixed(0).padStart(4)} %\n`,
  )
}
