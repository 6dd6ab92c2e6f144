// Every command of docs/install.md has a check here. What the plugin does is typed, without a
// cluster; what takes a platform that is not at hand is held to the manifests and to the version. A
// command without a check fails the first test.
import { spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parse, parseAllDocuments } from 'yaml'
import { toolPath } from '../../support/kube/tools.ts'
import { commandsOf, sectionOf } from '../../support/markdown.ts'
import { read, root } from '../../support/repository.ts'

type Check = (t: ExecutionContext, command: string) => unknown

const page = read('docs/install.md')
const { newTag } = parse(read('daemonset/base/kustomization.yaml')).images[0]

const checks: Readonly<Record<string, Check>> = {
  'docker build -f daemonset/Dockerfile -t selcap:0.1.0 .': namesVersion,
  'kind load docker-image selcap:0.1.0': namesVersion,
  'kubectl apply -k daemonset/base': t =>
    t.true(read('test/integration/kube/node/readme.test.ts').includes(`'kubectl apply -k daemonset/base'`)), // biome-ignore format: one line
  'docker save selcap:0.1.0 | sudo k3s ctr images import -': namesVersion,
  'kubectl apply -f daemonset/components/gke-autopilot/synchronizer.yaml': namesSynchronizer,
  'kubectl wait --for=condition=Ready allowlistsynchronizer/selcap --timeout=60s': t =>
    t.is(synchronizer().metadata.name, 'selcap'),
  'kubectl pcap install --image NAME:TAG --components gke-autopilot': (t, command) =>
    t.true(kindsOf(t, command).includes('DaemonSet')),
  'kubectl pcap install --image NAME:TAG --components openshift': (t, command) =>
    t.true(kindsOf(t, command).includes('SecurityContextConstraints')),
  'docker pull NAME:TAG': t => t.pass(),
  'docker tag NAME:TAG registry.example.com/selcap:0.1.0': namesVersion,
  'docker push registry.example.com/selcap:0.1.0': namesVersion,
  'kubectl pcap install --image registry.example.com/selcap:0.1.0': (t, command) => {
    namesVersion(t, command)
    t.true(kindsOf(t, command).includes('DaemonSet'))
  },
}

function namesVersion(t: ExecutionContext, command: string): void {
  t.regex(command, new RegExp(`selcap:${newTag.replaceAll('.', '\\.')}( |$)`))
}

const synchronizer = () => parse(read('daemonset/components/gke-autopilot/synchronizer.yaml'))

function namesSynchronizer(t: ExecutionContext, command: string): void {
  t.is(parse(read(command.split(' ').at(-1) ?? '')).kind, 'AllowlistSynchronizer')
}

/** The plugin prints what it would install, with the image that is named. */
function kindsOf(t: ExecutionContext, command: string): string[] {
  const [, , ...words] = command.split(' ')
  const path = [dirname(toolPath('kubectl')), process.env.PATH].join(delimiter)
  const { status, stdout, stderr } = spawnSync(
    join(root, 'bin', 'kubectl-pcap'),
    [...words, '--dry-run'],
    { encoding: 'utf8', env: { ...process.env, PATH: path } },
  )
  t.is(status, 0, stderr)
  t.true(stdout.includes(`image: ${words[words.indexOf('--image') + 1]}`))
  return parseAllDocuments(stdout).map(document => document.toJS().kind)
}

test('every command of docs/install.md has a check here, and no check is left over', t =>
  t.deepEqual([...new Set(commandsOf(page))], Object.keys(checks)))

for (const [command, check] of Object.entries(checks))
  test(`docs/install.md: ${command}`, t => check(t, command) as undefined)

test('each platform of the table says whether it was tried, and has a section', t => {
  const rows = Array.from(page.matchAll(/^\| \[([^\]]+)\]\(#.+?\) \| .+ \| (.+) \|$/gm))
  t.is(rows.length, 9)
  for (const [, name = '', tried = ''] of rows) {
    t.regex(tried, /\btried\b/, name)
    t.not(sectionOf(page, `${name[0]?.toUpperCase()}${name.slice(1)}`) || sectionOf(page, name), '', name) // biome-ignore format: one line
  }
})
