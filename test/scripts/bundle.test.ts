// `npm run bundle` makes the plugin one file: it runs where nothing else of this repository is, says the same, and krew would find
// in the archive what its manifest names.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { read, root } from '../repo/tree.ts'

const folder = mkdtempSync(join(tmpdir(), 'selcap-bundle-'))
const alone = join(folder, 'alone')
const archive = join(folder, 'dist', 'kubectl-capture.tar.gz')
const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` }

test.before(() => {
  execFileSync(process.execPath, [join(root, 'scripts', 'bundle.mjs'), join(folder, 'dist'), '--executable'], { stdio: 'pipe' })
  execFileSync('mkdir', ['-p', alone])
  execFileSync('tar', ['-C', alone, '-xzf', archive])
})

test.after.always(() => rmSync(folder, { recursive: true, force: true }))

const run = (program: string, args: readonly string[], by = env) => spawnSync(program, args, { encoding: 'utf8', env: by, cwd: folder })

test('the one file makes the manifest that the sources make, and refuses with the same words', t => {
  const config = join(folder, 'kubeconfig')
  const clusters = [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }]
  const contexts = [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'shop' } }]
  const users = [{ name: 'u', user: { token: 't' } }]
  writeFileSync(config, JSON.stringify({ apiVersion: 'v1', kind: 'Config', clusters, contexts, users, 'current-context': 'x' }))
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
    ['--help'],
    ['__complete', 'create', 'x', '--payload', ''],
  ]) {
    const [bundled, source] = [join(alone, 'kubectl-capture'), join(root, 'bin', 'kubectl-capture')].map(program => run(program, args))
    t.deepEqual([bundled?.status, bundled?.stdout, bundled?.stderr], [source?.status, source?.stdout, source?.stderr], args.join(' '))
  }
})

test('kubectl_complete-capture of the archive asks the one file beside it', t => {
  t.is(run(join(alone, 'kubectl_complete-capture'), ['sto']).stdout, 'stop\tend captures now; their files stay\n:4\n')
})

test('the one file says what it needs when Node is too old', t => {
  const old = join(folder, 'old.cjs')
  cpSync(join(alone, 'kubectl-capture'), old)
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '20.1.0' })`
  writeFileSync(join(folder, 'pretend.cjs'), pretend)
  const { status, stderr } = run(process.execPath, ['--require', join(folder, 'pretend.cjs'), old, '--help'])
  t.is(status, 1)
  t.is(stderr, 'Cannot run kubectl capture with Node 20.1.0: expected 24 or newer on the PATH\n')
})

test('the executable brings its Node along', t => {
  const { status, stdout, stderr } = run(
    join(folder, 'dist', `kubectl-capture-${process.platform}-${process.arch}`),
    ['__complete', 'wat'],
    { PATH: '/nowhere' },
  )
  t.is(status, 0, stderr)
  t.is(stdout, 'watch\tfollow captures; ends with the capture when one is named\n:4\n')
})

test('the archive is the same when it is made again', t => {
  const before = readFileSync(archive)
  execFileSync(process.execPath, [join(root, 'scripts', 'bundle.mjs'), join(folder, 'dist')], { stdio: 'pipe' })
  t.true(readFileSync(archive).equals(before))
})

test('the krew manifest names this version, and files that are in the archive', t => {
  type Platform = { readonly bin: string; readonly files: readonly { readonly from: string }[] }
  const { spec } = parse(read('krew/capture.yaml')) as { spec: { version: string; platforms: readonly Platform[] } }
  t.is(spec.version, `v${(JSON.parse(read('package.json')) as { version: string }).version}`)
  const names = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' }).trim().split('\n')
  for (const { bin, files } of spec.platforms) {
    t.deepEqual(files.map(({ from }) => from).toSorted(), names.toSorted())
    t.true(names.includes(bin))
  }
})
