// What docs/cluster.md's section on captures of other tools, docs/retina.md and
// docs/packetcaptureconfig.md tell their readers to type, typed one after another on a cluster of
// one node, with pods that the reader would have. A command without a check fails the first test.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parse, parseAllDocuments } from 'yaml'
import type { RetinaStatus } from '../../../src/api/retina/status.ts'
import { type Config, framesOf } from '../../support/kube/packetCaptureConfigs.ts'
import type { SimulatedNode, SimulatedPod } from '../../support/kube/simulated.ts'
import { useSimulated } from '../../support/kube/useSimulated.ts'
import { blocksOf, commandsOf, sectionOf, spokenCommandsOf } from '../../support/markdown.ts'
import { read } from '../../support/repository.ts'
import { until as untilSo } from '../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const section = sectionOf(read('docs/cluster.md'), 'Captures of other tools')
const manuals = [read('docs/retina.md'), read('docs/packetcaptureconfig.md')]
const kept: { node?: SimulatedNode; pod?: SimulatedPod } = {}

type Check = (t: ExecutionContext, said: string) => unknown

/** What runs once the manifests are applied: their images, in a real cluster. */
async function start(): Promise<void> {
  const { directory } = cluster()
  kept.node = await cluster().addNode('node-1')
  kept.pod = await kept.node.addPod('default', 'checkout-0', { app: 'checkout' })
  const [config, files] = [join(directory, 'settings.yaml'), join(directory, 'files')]
  mkdirSync(files)
  const lines = [
    'captureDiskFreePercentMin: 0',
    `captureHostPathBaseDir: ${directory}/archives`,
    `packetCapturesDir: ${files}`,
    '',
  ]
  writeFileSync(config, lines.join('\n'))
  const apis = ['--apis', 'packetcaptureconfig,retina']
  await kept.node.startAgent([...apis, '--config', config])
  const controller = await cluster().runInPod('controller', 'selcap-controller', [
    'controller',
    ...apis,
    '--metrics-port',
    '0',
  ])
  await controller.ready(() =>
    Promise.resolve(controller.tail(1_000).includes('selcap controller started')),
  )
}

async function until<T>(
  what: string,
  kind: string,
  name: string,
  isSo: (status: T | undefined) => boolean,
): Promise<void> {
  const status = async () => (await cluster().get<{ status?: T }>(kind, name)).status
  await untilSo(what, async () => isSo(await status()), { everyMs: 100, found: status })
}

/** Goes on until the command that waits is done. */
async function sendsToCheckout(): Promise<void> {
  await until<RetinaStatus>(
    'a tap',
    'captures.retina.sh',
    'checkout',
    status => status?.files[0]?.endpoints[0]?.startedAt !== undefined,
  )
  await kept.pod?.sender.udp({ to: kept.pod.hostAddress, port: 9, count: 7 })
}

async function sendsFromAddress(): Promise<void> {
  const isRunning = (status: Config['status']) => status?.phase === 'Running'
  await until<NonNullable<Config['status']>>(
    'a tap',
    'packetcaptureconfig',
    'ip-capture',
    isRunning,
  )
  await kept.pod?.sender.frames('eth0', framesOf({ from: '10.0.0.1', port: 80 }, 2_000))
}

const isApplied: Check = (t, said) =>
  t.regex(said, /daemonset.apps\/selcap-agent (configured|unchanged)/)
const results: Check = (t, said) =>
  t.is(JSON.parse(parse(said).data['results.json']).status.phase, 'Completed')
const isMade: Check = (t, said) => {
  const [file] = Object.values((parse(said) as Config).status?.captureFiles ?? {})
  t.like(file, { status: 'completed' })
  t.true(existsSync(file?.output_file ?? ''))
}

const checks: Readonly<Record<string, Check>> = {
  'kubectl apply -k daemonset/overlays/every-api': async (t, said) => {
    isApplied(t, said)
    await cluster().api.kubectl(
      'wait',
      '--for=condition=Established',
      'crd',
      '--all',
      '--timeout=60s',
    )
    await start()
  },
  'kubectl apply -f examples/retina/pods.yaml': async (t, said) => {
    t.is(said, 'capture.retina.sh/checkout created\n')
    await sendsToCheckout()
  },
  'kubectl wait --for=condition=complete capture/checkout --timeout=180s': (t, said) =>
    t.regex(said, /condition met/),
  'kubectl get captures.retina.sh checkout -o yaml': (t, said) => {
    const { conditions, succeeded, files } = (parse(said) as { status: RetinaStatus }).status
    t.deepEqual([conditions[0]?.message, succeeded], ['All 1 Capture jobs are completed', 1])
    t.true((files[0]?.packets ?? 0) >= 7) // with what answers them
    t.true(existsSync(files[0]?.artifact?.files[0]?.path ?? ''))
  },
  'kubectl apply -f examples/packetcaptureconfig.yaml': async (t, said) => {
    t.regex(said, /packetcaptureconfig.networking.packet.io\/ip-capture (created|unchanged)/)
    if (said.includes('created')) await sendsFromAddress()
  },
  "kubectl wait --for=jsonpath='{.status.phase}'=Completed packetcaptureconfig/ip-capture --timeout=180s":
    (t, said) => t.regex(said, /condition met/),
  'kubectl get packetcaptureconfigs': (t, said) =>
    t.regex(said, /^NAME +STATUS +AGE\nip-capture +Completed /),
  'kubectl get packetcaptureconfig ip-capture -o yaml': isMade,
  'kubectl get configmap ip-capture-results -n selcap-system -o yaml': results,
  'kubectl apply -k daemonset/overlays/retina': isApplied,
  'kubectl explain capture.spec.captureConfiguration': (t, said) =>
    t.regex(said, /captureTarget\s+<Object>/),
  'kubectl apply -k daemonset/overlays/packetcaptureconfig': isApplied,
  'kubectl get pcc': (t, said) => t.regex(said, /\nip-capture +Completed /),
  'kubectl get pcc ip-capture -o yaml': isMade,
}

const commands = [
  ...commandsOf(section),
  ...manuals.flatMap(manual => [
    ...spokenCommandsOf(manual).filter(
      each => each.startsWith('kubectl ') && each !== 'kubectl pcap',
    ),
    ...commandsOf(manual),
  ]),
]

test('every command has a check here, and no check is left over', t => {
  const elsewhere = /^kubectl (replace|pcap|logs)/ // the first two are typed in test/integration/deploy and test/integration/kube/kubectl; logs take a kubelet
  t.deepEqual(
    new Set(commands.filter(command => !elsewhere.test(command))),
    new Set(Object.keys(checks)),
  )
})

test('the manifests of the section are those of examples/', t => {
  const examples = ['retina/pods.yaml', 'packetcaptureconfig.yaml'].flatMap(file =>
    parseAllDocuments(read(`examples/${file}`)),
  )
  const shown = blocksOf(section).filter(({ language }) => language === 'yaml')
  t.is(shown.length, 2)
  for (const { text } of shown)
    t.true(
      examples.some(each => JSON.stringify(each.toJS()) === JSON.stringify(parse(text))),
      text,
    )
})

/** As a shell takes it apart. */
function wordsOf(line: string): string[] {
  return execFileSync('bash', ['-c', `printf '%s\\n' ${line}`], { encoding: 'utf8' })
    .trim()
    .split('\n')
}

for (const [index, command] of commands.entries()) {
  const check = checks[command]
  if (!check) continue
  clusterTest(`${index}: ${command}`, async t => {
    const { code, out, err } = await cluster().api.ask(wordsOf(command).slice(1), {
      timeoutMs: 240_000,
    })
    t.is(code, 0, err)
    await check(t, out)
  })
}
