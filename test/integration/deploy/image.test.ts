// The image: selcap runs from the listed files and nothing else (changed root, no shell), the list
// is what package.json asks for, and the Dockerfile builds just that.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { fileList, home } from '../../../scripts/image.mjs'
import { podWithPort } from '../../support/net/podWithPort.ts'
import { networkTest } from '../../support/net/privilege.ts'
import { neededPackages } from '../../support/processes/packages.ts'
import { capture, endpoint, Standalone } from '../../support/processes/standalone.ts'
import { read, root } from '../../support/repository.ts'

const image = mkdtempSync(join(tmpdir(), 'selcap-image-'))
test.before(
  () =>
    void execFileSync(process.execPath, [join(root, 'scripts/image.mjs'), image], {
      encoding: 'utf8',
    }),
)
test.after.always(() => rmSync(image, { recursive: true, force: true }))

// What a container gets beside its files, and a directory of the test's. The mounts are gone with
// the process. $3, the program that would run outside, gives way to the image's.
const enter = `set -e
image=$1 shared=$2 program=$IMAGE_PROGRAM
shift 3
for path in /proc /dev /sys $shared; do mkdir -p "$image$path"; mount --rbind "$path" "$image$path"; done
exec chroot "$image" "$program" "$@"`

function inImage(program: string, shared = ''): readonly string[] {
  return [
    'unshare',
    '--mount',
    'env',
    `IMAGE_PROGRAM=${program}`,
    'sh',
    '-c',
    enter,
    'sh',
    image,
    shared,
  ]
}

function run(program: string, ...args: readonly string[]): string {
  const [command = '', ...rest] = [...inImage(program), program, ...args]
  return execFileSync(command, rest, {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: '/' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
const selcap = '/usr/local/bin/selcap'
const node = `${home}/node_modules/.bin/node`

networkTest('selcap --help names its commands, from the image alone', async t => {
  t.regex(run(selcap, '--help'), /Usage: selcap[\s\S]*explain[\s\S]*standalone/)
})

networkTest(
  'the image holds what Node makes of the sources: their types are not stripped again',
  async t => {
    const [command = '', ...rest] = [...inImage(selcap), selcap, 'validate', '/none.yaml']
    const { stderr } = spawnSync(command, rest, {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: '/', NODE_DEBUG_NATIVE: 'COMPILE_CACHE' },
    })
    const asked = stderr
      .split('\n')
      .filter(line => line.includes('retrieving transpile cache for StrippedTypeScript'))
    t.true(asked.length > 10, stderr)
    t.deepEqual(
      asked.filter(line => !line.endsWith('success')),
      [],
    )
    t.notRegex(stderr, /no transpile cache/)
  },
)

networkTest('selcap explain works from the image alone', async t => {
  t.regex(run(selcap, 'explain', 'all()'), /canonical: all\(\)/)
})

networkTest('every module of selcap finds what it imports in the image', async t => {
  const programs = ['main.ts', 'driver/libpcap/pcapProcess.ts', 'auth/certificateProcess.ts'] // these do something when they are loaded
  const modules = globSync('**/*.ts', { cwd: join(root, 'src') }).filter(
    name => !programs.includes(name),
  )
  const script = `const failed = []
for (const name of ${JSON.stringify(modules)}) await import('${home}/src/' + name).catch(error => failed.push(name + ': ' + error.message))
console.log(JSON.stringify(failed))
process.exit(0)`
  t.true(modules.length > 80)
  t.deepEqual(JSON.parse(run(node, '--input-type=module', '--eval', script)), [])
})

for (const driver of ['ring', 'libpcap']) {
  networkTest(`selcap standalone --driver ${driver} captures from the image alone`, async t => {
    const { pod, sender, port } = await podWithPort(t)
    const app = new Standalone(t)
    app.write('a.yaml', endpoint(pod.hostName), capture({ selector: 'app == "web"' }))
    await app.start(inImage(selcap, app.root), ['--driver', driver])
    await app.reaches('WaitingForTraffic')
    await sender.udp({ to: pod.hostAddress, port, count: 25 })
    await app.counts(25)
    t.is(await app.stop(), 0)
    t.is(app.records(), 25)
  })
}

networkTest('tcpdump reads packets from the image alone', async t => {
  t.regex(run('/usr/bin/tcpdump', '--version'), /^tcpdump version \d/)
})

test('the image has no shell, and no program but selcap, Node and tcpdump', t => {
  const programs = globSync('{bin,sbin,usr/bin,usr/sbin,usr/local/bin}/*', { cwd: image })
  t.deepEqual(programs.toSorted(), ['usr/bin/tcpdump', 'usr/local/bin/selcap'])
  t.true(existsSync(join(image, node)))
})

test('daemonset/files.txt lists the packages that package.json needs at run time, and no others', t => {
  const listed = fileList().paths.flatMap(
    path => /^node_modules\/((?:@[^/]+\/)?[^/.]+(?:\.[^/]+)*)/.exec(path)?.[0] ?? [],
  )
  const packages = [...new Set(listed)].filter(path => !path.includes('node-linux-'))
  t.deepEqual(packages.toSorted(), neededPackages())
})

test('the Dockerfile pins its base by digest and lays the image out from the list', t => {
  const text = read('daemonset/Dockerfile')
  const bases = Array.from(text.matchAll(/^FROM (\S+)/gm), ([, base = '']) => base)
  t.is(bases.at(-1), 'scratch')
  t.deepEqual(
    bases.slice(0, -1).filter(base => !/:\d+\.\d+\.\d+-[a-z-]+@sha256:[0-9a-f]{64}$/.test(base)),
    [],
  )
  t.regex(text, /^RUN node_modules\/\.bin\/node scripts\/image\.mjs \/image$/m)
  t.regex(text, /^COPY --from=build \/image \/$/m)
  t.regex(text, /^USER 65532:65532$/m)
  t.true(existsSync(join(image, /^ENTRYPOINT \["([^"]+)"\]$/m.exec(text)?.[1] ?? 'none')))
})

test('the Dockerfile copies all that the list names from the repository, past its ignore file', t => {
  const copied = Array.from(
    read('daemonset/Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm),
    ([, paths = '']) => paths.split(' '),
  ).flat()
  const ignored = read('daemonset/Dockerfile.dockerignore').split('\n')
  const wanted = fileList().paths.flatMap(path =>
    path.startsWith('node_modules/') ? [] : (path.split('/')[0] ?? []),
  )
  t.deepEqual(
    wanted.filter(path => !copied.includes(path)),
    [],
  )
  t.deepEqual(
    copied.filter(path => !ignored.includes(`!${path}`)),
    [],
  )
})
