// Makes the plugin one file that runs wherever Node 24 or newer is:
//   node scripts/bundle.mjs [--executable | --executables [--sign=PROGRAM]] [--address=https://…] [DIRECTORY]
// Out, in dist/ or that directory: kubectl-pcap and kubectl_complete-pcap, an archive of them with
// the licence, and pcap.yaml, the krew manifest with the archive's SHA-256 and where it will lie:
// under --address (or $SELCAP_RELEASE_ADDRESS). With --executable also a program that brings its
// Node along, for this machine's system and processor; with --executables one for each platform
// (executables.mjs), of which the manifest then tells. The archive is the same whenever the sources
// are: entries have no times and no owners of their own.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { parse, stringify } from 'yaml'
import { makeExecutables, nodeLicence, reproducible } from './executables.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const args = process.argv.slice(2)
const address =
  args.find(each => each.startsWith('--address='))?.slice('--address='.length) ??
  process.env.SELCAP_RELEASE_ADDRESS
if (address !== undefined && !/^https:\/\/[^\s/]+/.test(address))
  fail(`Cannot use the address "${address}": expected https://…`)
const out = resolve(args.find(each => !each.startsWith('--')) ?? join(root, 'dist'))
const files = ['LICENSE', 'kubectl-pcap', 'kubectl_complete-pcap']

// In words that an old Node reads too.
const versionCheck = `if (parseInt(process.versions.node) < 24) {
  process.stderr.write('Cannot run kubectl pcap with Node ' + process.versions.node + ': expected 24 or newer on the PATH\\n')
  process.exit(1)
}`

mkdirSync(out, { recursive: true })
const plugin = join(out, 'kubectl-pcap')
await build({
  entryPoints: [join(root, 'src', 'kubectl', 'main.ts')],
  outfile: plugin,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  banner: { js: `#!/usr/bin/env node\n${versionCheck}` },
  legalComments: 'eof',
  minifyWhitespace: true,
  lineLimit: 160,
  logLevel: 'warning',
  plugins: [{ name: 'manifests', setup: withManifests }],
})
writeFileSync(
  join(out, 'kubectl_complete-pcap'),
  '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/kubectl-pcap" __complete "$@"\n',
)
copyFileSync(join(root, 'LICENSE'), join(out, 'LICENSE'))
for (const file of files) chmodSync(join(out, file), file === 'LICENSE' ? 0o644 : 0o755)

const archive = join(out, 'kubectl-pcap.tar.gz')
const packed = run('tar', [...reproducible, '-C', out, '-cf', '-', ...files])
writeFileSync(archive, run('gzip', ['-9', '-n', '-c'], packed))
process.stdout.write(`${plugin}: ${statSync(plugin).size} bytes\n`)
const sha256 = sha256Of(archive)
process.stdout.write(`${archive}: sha256 ${sha256}\n`)
const sign = args.find(each => each.startsWith('--sign='))?.slice('--sign='.length)
writeManifest(args.includes('--executables') ? makeExecutables(out, sign) : [])
if (args.includes('--executable')) makeExecutable()

/** `install` has the manifests with it: their texts take the place of the file that reads them. */
function withManifests(bundle) {
  const folders = ['crds', 'daemonset/base', 'daemonset/apis', 'daemonset/components']
  const texts = Object.fromEntries(
    folders.flatMap(folder =>
      readdirSync(join(root, folder), { recursive: true })
        .filter(name => /\.(yaml|json)$/.test(name))
        .toSorted()
        .map(name => [`${folder}/${name}`, readFileSync(join(root, folder, name), 'utf8')]),
    ),
  )
  bundle.onLoad({ filter: /install.manifestFiles\.ts$/ }, () => ({
    contents: `export const manifestFiles = async () => (${JSON.stringify(texts)})`,
  }))
}

/**
 * krew/pcap.yaml with what only whoever builds it knows. Executables take the place of the one file
 * that needs Node.
 */
function writeManifest(executables) {
  const manifest = parse(readFileSync(join(root, 'krew', 'pcap.yaml'), 'utf8'))
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const uriOf = name => address && `${address.replace(/\/$/, '')}/${name}`
  const uri = uriOf('kubectl-pcap.tar.gz')
  manifest.spec.version = `v${version}`
  for (const platform of manifest.spec.platforms)
    Object.assign(platform, { sha256, ...(uri && { uri }) })
  if (executables.length > 0) {
    const [{ selector: _, ...common }] = manifest.spec.platforms
    manifest.spec.platforms = executables.map(({ os, arch, archive: name }) => ({
      selector: { matchLabels: { os, arch } },
      ...common,
      files: [...common.files, { from: nodeLicence, to: '.' }],
      uri: uriOf(name) ?? common.uri.replace('kubectl-pcap.tar.gz', name),
      sha256: sha256Of(join(out, name)),
    }))
    manifest.spec.caveats = manifest.spec.caveats.replace('Node 24 or newer on the PATH, and ', '')
  }
  const file = join(out, 'pcap.yaml')
  writeFileSync(file, stringify(manifest, { lineWidth: 0 }))
  const missing =
    'no address was given (--address=https://…, where the archive will lie), so krew takes it only with --archive='
  process.stdout.write(`${file}: ${uri ?? `${missing}${archive}`}\n`)
}

/** As Node's manual has it for a single executable application. */
function makeExecutable() {
  const executable = join(out, `kubectl-pcap-${process.platform}-${process.arch}`)
  const [settings, blob] = [join(out, 'sea.json'), join(out, 'sea.blob')]
  writeFileSync(
    settings,
    JSON.stringify({ main: plugin, output: blob, disableExperimentalSEAWarning: true }),
  )
  run(process.execPath, ['--experimental-sea-config', settings])
  copyFileSync(realpathSync(process.execPath), executable)
  chmodSync(executable, 0o755)
  const postject = join(root, 'node_modules', 'postject', 'dist', 'cli.js')
  run(process.execPath, [
    postject,
    executable,
    'NODE_SEA_BLOB',
    blob,
    '--sentinel-fuse',
    'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2',
  ])
  for (const file of [settings, blob]) rmSync(file)
  process.stdout.write(`${executable}: ${statSync(executable).size} bytes\n`)
}

function sha256Of(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

function run(command, args, input) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    input,
    maxBuffer: 256 * 1024 * 1024,
  })
  if (status !== 0) throw new Error(`Cannot run ${command}: ${error?.message ?? stderr}`)
  return stdout
}
