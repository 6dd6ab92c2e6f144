// `npm run bundle` makes the plugin one file: it runs where nothing else of this repository is,
// says the same, and krew would find in the archive what its manifest names.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { toolPath } from '../../support/kube/tools.ts'
import { read, root } from '../../support/repository.ts'

const folder = mkdtempSync(join(tmpdir(), 'selcap-bundle-'))
const alone = join(folder, 'alone')
const dist = join(folder, 'dist')
const archive = join(dist, 'kubectl-pcap.tar.gz')
const env: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: [dirname(process.execPath), dirname(toolPath('kubectl')), process.env.PATH].join(delimiter),
}

test.before(() => {
  execFileSync(process.execPath, [join(root, 'scripts', 'bundle.mjs'), dist, '--executable'], {
    stdio: 'pipe',
  })
  execFileSync('mkdir', ['-p', alone])
  execFileSync('tar', ['-C', alone, '-xzf', archive])
})

test.after.always(() => rmSync(folder, { recursive: true, force: true }))

const run = (program: string, args: readonly string[], by = env) =>
  spawnSync(program, args, { encoding: 'utf8', env: by, cwd: folder })

test('the one file makes the manifest that the sources make, and refuses with the same words', t => {
  const config = join(folder, 'kubeconfig')
  const clusters = [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }]
  const contexts = [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'shop' } }]
  const users = [{ name: 'u', user: { token: 't' } }]
  writeFileSync(
    config,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters,
      contexts,
      users,
      'current-context': 'x',
    }),
  )
  const common = ['--kubeconfig', config, '--api-group', 'projectcalico.org']
  for (const args of [
    [
      'create',
      'web',
      '-l',
      'app == "web"',
      '--port',
      '80',
      '--cron',
      '0 2 * * *',
      '--window',
      '1h',
      '--dry-run=client',
      '-o',
      'yaml',
      ...common,
    ],
    ['create', 'web', '-l', 'app == web', ...common],
    ['describe', 'web', ...common],
    ['install', '--dry-run', '--components', 'retina,claims', '--image', 'r.example/selcap:1'],
    ['--help'],
    ['__complete', 'create', 'x', '--payload', ''],
  ]) {
    const [bundled, source] = [join(alone, 'kubectl-pcap'), join(root, 'bin', 'kubectl-pcap')].map(
      program => run(program, args),
    )
    t.deepEqual(
      [bundled?.status, bundled?.stdout, bundled?.stderr],
      [source?.status, source?.stdout, source?.stderr],
      args.join(' '),
    )
  }
})

test('kubectl_complete-pcap of the archive asks the one file beside it', t => {
  t.is(
    run(join(alone, 'kubectl_complete-pcap'), ['sto']).stdout,
    'stop\tend captures now; their files stay\n:4\n',
  )
})

test('the one file says what it needs when Node is too old', t => {
  const old = join(folder, 'old.cjs')
  cpSync(join(alone, 'kubectl-pcap'), old)
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '20.1.0' })`
  writeFileSync(join(folder, 'pretend.cjs'), pretend)
  const { status, stderr } = run(process.execPath, [
    '--require',
    join(folder, 'pretend.cjs'),
    old,
    '--help',
  ])
  t.is(status, 1)
  t.is(stderr, 'Cannot run kubectl pcap with Node 20.1.0: expected 24 or newer on the PATH\n')
})

test('the executable brings its Node along', t => {
  const { status, stdout, stderr } = run(
    join(dist, `kubectl-pcap-${process.platform}-${process.arch}`),
    ['__complete', 'wat'],
    {
      PATH: '/nowhere',
    },
  )
  t.is(status, 0, stderr)
  t.is(stdout, 'watch\tfollow captures; ends with the capture when one is named\n:4\n')
})

test('the archive is the same when it is made again', t => {
  const before = readFileSync(archive)
  execFileSync(process.execPath, [join(root, 'scripts', 'bundle.mjs'), dist], { stdio: 'pipe' })
  t.true(readFileSync(archive).equals(before))
})

type Platform = {
  readonly uri: string
  readonly sha256: string
  readonly bin: string
  readonly files: readonly { from: string; to: string }[]
}
type Manifest = {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly version: string; readonly platforms: readonly Platform[] }
}

const manifestIn = (directory: string) =>
  parse(readFileSync(join(directory, 'pcap.yaml'), 'utf8')) as Manifest
const sha256Of = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

test('the krew manifest beside the archive has its SHA-256, and this version', t => {
  const { metadata, spec } = manifestIn(dist)
  t.is(metadata.name, 'pcap')
  t.is(spec.version, `v${(JSON.parse(read('package.json')) as { version: string }).version}`)
  t.true(spec.platforms.length > 0)
  for (const { sha256 } of spec.platforms) t.is(sha256, sha256Of(archive))
})

test('what krew would install by that manifest runs, and completes', t => {
  for (const [index, { sha256, bin, files }] of manifestIn(dist).spec.platforms.entries()) {
    const [unpacked, installed] = ['unpacked', 'installed'].map(name =>
      join(folder, `krew-${index}`, name),
    ) as [string, string]
    for (const directory of [unpacked, installed]) mkdirSync(directory, { recursive: true })
    t.is(sha256Of(archive), sha256)
    execFileSync('tar', ['-C', unpacked, '-xzf', archive])
    t.deepEqual(files.map(({ from }) => from).toSorted(), readdirSync(unpacked).toSorted())
    for (const { from, to } of files)
      cpSync(join(unpacked, from), join(installed, to, basename(from)))
    symlinkSync(join(installed, bin), join(folder, `krew-${index}`, 'kubectl-pcap')) // as krew puts it on the PATH
    const program = join(folder, `krew-${index}`, 'kubectl-pcap')
    t.regex(run(program, ['--help']).stdout, /^Usage: kubectl pcap .*\n[\s\S]* download /)
    t.is(
      run(join(installed, 'kubectl_complete-pcap'), ['sto']).stdout,
      'stop\tend captures now; their files stay\n:4\n',
    )
  }
})

test('the krew manifest names the address that was given, by an option or the environment; else it is said that there is none', t => {
  const bundle = (args: readonly string[], by: NodeJS.ProcessEnv = {}) => {
    const directory = join(folder, `addressed-${args.length}-${Object.keys(by).length}`)
    const { status, stdout, stderr } = run(
      process.execPath,
      [join(root, 'scripts', 'bundle.mjs'), ...args, directory],
      { ...env, ...by },
    )
    return {
      status,
      stdout,
      stderr,
      uri: status === 0 ? manifestIn(directory).spec.platforms[0]?.uri : '',
    }
  }
  const address = 'https://releases.test/selcap/v1'
  const uri = `${address}/kubectl-pcap.tar.gz`
  t.like(bundle([`--address=${address}/`], { SELCAP_RELEASE_ADDRESS: 'https://other.test' }), {
    status: 0,
    uri,
  })
  t.like(bundle([], { SELCAP_RELEASE_ADDRESS: address }), { status: 0, uri })
  const without = bundle([])
  t.regex(without.uri ?? '', /^https:\/\/example\.invalid\//)
  t.regex(
    without.stdout,
    /pcap\.yaml: no address was given \(--address=https:\/\/…, .*--archive=.*kubectl-pcap\.tar\.gz\n/,
  )
  for (const bad of ['http://releases.test', 'releases.test', ''])
    t.deepEqual(bundle([`--address=${bad}`]), {
      status: 2,
      stdout: '',
      stderr: `Cannot use the address "${bad}": expected https://…\n`,
      uri: '',
    })
})
