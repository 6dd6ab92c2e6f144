import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../../..', import.meta.url))

function run(
  args: readonly string[],
  input = '',
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(`${root}/bin/selcap`, ['validate', ...args], {
    input,
    encoding: 'utf8',
    cwd: root,
  })
}

const head =
  'apiVersion: projectcalico.org/v3\nkind: PacketCapture\nmetadata: {name: a, namespace: shop}\n'

test('selcap validate prints what each good capture compiles to', t => {
  const { status, stdout } = run(['examples/filters.yaml', 'examples/workload-endpoints.yaml'])
  t.is(status, 0)
  t.is(
    stdout,
    [
      'PacketCapture shop/http-and-dns: good',
      '  selector:        all()',
      '  pcap expression: (tcp and (port 80 or portrange 8000-8080)) or (udp and (port 53))',
      'WorkloadEndpoint shop/node--0-k8s-web--0-eth0: good',
      'WorkloadEndpoint shop/node--0-k8s-api--0-eth0: good',
      '',
    ].join('\n'),
  )
})

test('selcap validate refuses what only the selector parser, the expression check or libpcap can see', t => {
  for (const [spec, words] of [
    ['selector: a == b', /expected string\n {2}a == b\n {7}\^/],
    ['expression: host nowhere', /found the name "nowhere"/],
    ['expression: tcp and and', /syntax error/],
  ] as const) {
    const { status, stderr } = run(['-'], `${head}spec:\n  ${spec}\n`)
    t.is(status, 1)
    t.regex(stderr, words)
  }
})

test('selcap validate reports all errors of all files and exits 1', t => {
  const { status, stdout, stderr } = run(
    ['-', 'examples/selector.yaml'],
    `${head}spec: {selecter: all()}\n---\n${head}spec: {snapLength: 0}\n`,
  )
  t.is(status, 1)
  t.regex(
    stderr,
    /^standard input:4:8: document 1: spec\.selecter: unknown field, did you mean "selector"\?\nstandard input:9:8: document 2: spec\.snapLength: found 0, expected at least 1\n$/,
  )
  t.regex(stdout, /shop\/web: good/)
})

test('selcap validate -o json is for programs', t => {
  const { stdout } = run(['-o', 'json', 'examples/selector.yaml'])
  t.deepEqual(JSON.parse(stdout), {
    good: [
      { kind: 'PacketCapture', key: 'shop/web', selector: 'app == "web"', filter: '', notes: [] },
    ],
    problems: [],
  })
})

test('selcap validate exits 2 when a file cannot be read, or none is given', t => {
  t.like(run(['nowhere.yaml']), { status: 2, stderr: 'Cannot read "nowhere.yaml": ENOENT\n' })
  t.is(run([]).status, 2)
})
