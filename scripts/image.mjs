// Lays out selcap's image: `node scripts/image.mjs DIRECTORY`. In: daemonset/files.txt and a
// checkout that is set up. Out: a root file system without a shell or a package manager: the listed
// files, tcpdump, which prints packets as text, the shared libraries that these need,
// /usr/local/bin/selcap and what Node made of the sources (imageCache.mjs). Node is stripped: stack
// traces of its C++ code have no names. The Dockerfile runs it, and so do the tests: what they try
// is what the image holds. Refuses a line that finds nothing, and a directory that is not empty.
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, matchesGlob } from 'node:path'
import { root } from './bundled.mjs'

export const home = '/opt/selcap'
const node = `${home}/node_modules/.bin/node`
// The kernel reads the first line, and hands over one option: no shell, no env. What bin/selcap
// says of memory holds here too; the room for young objects is in the environment that agent.yaml
// sets.
const option = '--no-concurrent-recompilation'
const starter = `#!${node} ${option}
process.on('SIGUSR1', () => {}) // it would open Node's debugger
process.env.UV_THREADPOOL_SIZE ??= '16' // as bin/selcap has it; read when the first thread is needed
process.noDeprecation = true
require('node:module').enableCompileCache({ directory: '${home}/cache', portable: true })
import('${home}/src/main.ts')
`
const users = 'root:x:0:0:root:/:/sbin/nologin\nselcap:x:65532:65532:selcap:/:/sbin/nologin\n'

const [to] = process.argv.slice(2)
if (import.meta.main) layOut(to)

/** The lines of daemonset/files.txt: what belongs in the image, and what of that is left out. */
export function fileList() {
  const lines = readFileSync(join(root, 'daemonset', 'files.txt'), 'utf8').split('\n')
  const said = lines.map(line => line.trim()).filter(line => line !== '' && !line.startsWith('#'))
  return {
    paths: said.filter(line => !line.startsWith('!')),
    left: said.filter(line => line.startsWith('!')).map(line => line.slice(1)),
  }
}

function layOut(directory) {
  if (!directory) throw new Error('Cannot lay out the image: expected a directory')
  if (existsSync(directory) && readdirSync(directory).length > 0)
    throw new Error(`Cannot lay out the image in "${directory}": expected an empty directory`)
  const tcpdump = parent(join(directory, 'usr/bin/tcpdump'))
  copyFileSync(programNamed('tcpdump'), tcpdump)
  const programs = [...copyListed(join(directory, home)), tcpdump]
  for (const library of librariesOf(programs))
    copyFileSync(library, parent(join(directory, library)))
  write(join(directory, 'usr/local/bin/selcap'), starter, 0o755)
  write(join(directory, 'etc/passwd'), users, 0o644)
  execFileSync('strip', [join(directory, node)]) // names of Node's own functions, 18 MB
  const { NODE_COMPILE_CACHE: _, ...env } = process.env // a cache elsewhere would be kept instead
  const cacheOf = join(root, 'scripts', 'imageCache.mjs')
  execFileSync(join(directory, node), [option, cacheOf, join(directory, home)], { env })
}

function programNamed(name) {
  const found = ['/usr/bin', '/usr/sbin', '/bin', '/sbin', '/usr/local/bin']
    .map(folder => join(folder, name))
    .find(path => existsSync(path))
  if (!found)
    throw new Error(`Cannot lay out the image: found no ${name}, expected it to be installed`)
  return realpathSync(found)
}

/** Out: the programs and native modules among what was copied. */
function copyListed(directory) {
  const { paths, left } = fileList()
  const found = paths.flatMap(path => {
    const here = globSync(path, { cwd: root })
    if (here.length === 0)
      throw new Error(
        `Cannot lay out the image: daemonset/files.txt names "${path}", which is not there`,
      )
    return here
  })
  const isKept = from => !left.some(pattern => matchesGlob(from, join(root, pattern)))
  for (const path of found)
    cpSync(realpathSync(join(root, path)), parent(join(directory, path)), {
      recursive: true,
      filter: isKept,
    })
  return globSync(['**/*.node', 'node_modules/.bin/node'], { cwd: directory }).map(path =>
    join(directory, path),
  )
}

/** By the names under which the loader looks for them, the loader itself included. */
function librariesOf(programs) {
  const lines = programs.flatMap(program =>
    execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n'),
  )
  const missing = lines.filter(line => line.includes('not found'))
  if (missing.length > 0)
    throw new Error(`Cannot lay out the image: a library is missing: ${missing.join(', ').trim()}`)
  return new Set(lines.flatMap(line => /(\/\S+) \(0x/.exec(line)?.[1] ?? []))
}

function write(path, text, mode) {
  writeFileSync(parent(path), text, { mode })
}

function parent(path) {
  mkdirSync(dirname(path), { recursive: true })
  return path
}
