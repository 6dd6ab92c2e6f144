// Controllers that are killed at any moment while packets flow: every status that ever stood in the
// cluster is looked at, and none is wrong or counts backwards.
import { setTimeout as after } from 'node:timers/promises'
import type { Counts, PacketCaptureStatus } from '../../../../src/model/status.ts'
import type { PublishedCapture } from '../../../../src/publish/statusDirectory.ts'
import type { Child } from '../../../support/kube/child.ts'
import { packetCapture, type SimulatedPod } from '../../../support/kube/simulated.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { until as untilSo } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const rounds = 3
const watchSeconds = 90
const controllers: Child[] = []

async function startController(name: string): Promise<Child> {
  const file = await cluster().kubeconfigFor('selcap-controller', name)
  const child = cluster().run(`controller-${name}`, undefined, [
    'controller',
    '--kubeconfig',
    file,
    '--metrics-port',
    '0',
  ])
  controllers.push(child)
  return child
}

const isLeading = (child: Child): boolean => child.isRunning && /"leading"/.test(child.tail(1_000))
const statusOf = async (name: string) =>
  (await cluster().get<PublishedCapture>('packetcapture', name, '-n', 'shop')).status

const until = (what: string, isSo: () => Promise<boolean> | boolean): Promise<void> =>
  untilSo(what, isSo, { everyMs: 100, tails: controllers })

type Seen = { readonly name: string; readonly status: PacketCaptureStatus }

/** Every state of every capture from now on, as the API server tells it. */
async function watch(): Promise<Seen[]> {
  const path = `/apis/projectcalico.org/v3/namespaces/shop/packetcaptures?watch=true&timeoutSeconds=${watchSeconds}`
  const { out } = await cluster().api.ask(['get', `--raw=${path}`], {
    timeoutMs: (watchSeconds + 20) * 1_000,
  })
  const lines = out.split('\n').filter(line => line !== '')
  return lines.flatMap(line => {
    const { metadata, status } = (JSON.parse(line) as { object: PublishedCapture }).object
    return status?.state === undefined ? [] : [{ name: metadata.name, status }]
  })
}

/** Sends until the signal; resolves with how many packets each pod sent. */
async function keepSending(pods: readonly SimulatedPod[], signal: AbortSignal): Promise<number> {
  let sent = 0
  while (!signal.aborted) {
    for (const pod of pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 3 })
    sent += 3
    await after(200)
  }
  return sent
}

/** Edits a capture until the signal, so that nodes report all the time. */
async function keepEditing(name: string, signal: AbortSignal): Promise<void> {
  for (let maxFiles = 2; !signal.aborted; maxFiles++) {
    const patch = JSON.stringify({ spec: { rotation: { maxFiles } } })
    await cluster().api.kubectl(
      'patch',
      'packetcapture',
      name,
      '-n',
      'shop',
      '--type=merge',
      '-p',
      patch,
    )
    await after(500)
  }
}

const counted = ({ packets, bytes, dropped }: Counts) => [packets, bytes, dropped] as const

/** In one line: which counts of `now` are less than before. */
function backwards(before: PacketCaptureStatus, now: PacketCaptureStatus): string[] {
  const rowsOf = ({ files }: PacketCaptureStatus) =>
    files.flatMap(({ node, endpoints }) =>
      endpoints.map(row => [`${node}/${row.pod}`, row] as const),
    )
  const all = (status: PacketCaptureStatus): Map<string, Counts> =>
    new Map<string, Counts>([
      ['all', status],
      ...status.files.map(file => [file.node, file] as const),
      ...rowsOf(status),
    ])
  const earlier = all(before)
  return [...all(now)].flatMap(([what, counts]) => {
    const [was, is] = [earlier.get(what), counted(counts)]
    return was && counted(was).some((count, index) => count > (is[index] ?? 0))
      ? [`${what}: ${counted(was)} → ${is}`]
      : []
  })
}

clusterTest(
  'a controller that is killed at any moment shows no wrong status and no count that goes backwards',
  async t => {
    t.timeout((watchSeconds + 60) * 1_000)
    await cluster().api.kubectl('create', 'namespace', 'shop')
    const nodes = await Promise.all(['node-1', 'node-2'].map(name => cluster().addNode(name)))
    const pods = await Promise.all(
      nodes.map((node, index) => node.addPod('shop', `web-${index}`, { app: 'web' })),
    )
    for (const node of nodes) await node.startAgent()
    await startController('0')
    await cluster().apply(
      packetCapture('web', { selector: "app == 'web'", filters: [{ protocol: 'UDP' }] }),
      packetCapture('few', {
        selector: "app == 'web'",
        filters: [{ protocol: 'UDP' }],
        limits: { packets: 2 },
        ttlSecondsAfterFinished: 3_600,
      }),
      packetCapture('edited', { selector: "app == 'web'" }),
      packetCapture('bad', { selector: "app == 'web' &&" }),
    )
    await until('both nodes', async () => (await statusOf('web'))?.nodes === 2)
    const [seen, sending] = [watch(), new AbortController()]
    const sent = keepSending(pods, sending.signal)
    const edited = keepEditing('edited', sending.signal)
    await until('the limit', async () => (await statusOf('few'))?.state === 'Finished')

    for (let round = 1; round <= rounds; round++) {
      const next = await startController(`${round}`)
      await after(500 + Math.random() * 2_500)
      await controllers.at(-2)?.stop('SIGKILL')
      await until(`controller ${round} to lead`, () => isLeading(next))
    }
    await after(3_000)
    sending.abort()
    await edited
    await until('the last edit', async () => {
      const { metadata, status } = await cluster().get<PublishedCapture>(
        'packetcapture',
        'edited',
        '-n',
        'shop',
      )
      return status?.observedGeneration === metadata.generation
    })
    const total = (await sent) * pods.length
    await until(`${total} packets`, async () => (await statusOf('web'))?.packets === total)

    const all = await seen
    const web = all.filter(({ name }) => name === 'web').map(({ status }) => status)
    t.true(web.length > 10, `${web.length} statuses`)
    const wrong = web.filter(({ state, nodes: count, endpoints, conditions, files, packets }) => {
      const [ready, degraded] = ['Ready', 'Degraded'].map(
        type => conditions.find(condition => condition.type === type)?.status,
      )
      const sum = files.reduce((counts, file) => counts + file.packets, 0)
      const isAsExpected =
        ready === 'True' &&
        degraded === 'False' &&
        count === 2 &&
        endpoints === 2 &&
        sum === packets &&
        packets <= total
      return !isAsExpected || state !== (packets > 0 ? 'Capturing' : 'WaitingForTraffic')
    })
    t.deepEqual(wrong, [])
    t.deepEqual(
      web.flatMap((status, index) => backwards(web[index - 1] ?? status, status)),
      [],
    )
    const few = all
      .filter(({ name, status }) => name === 'few' && status.files.length > 0)
      .map(({ status }) => status)
    const finished = few.findIndex(({ state }) => state === 'Finished')
    t.true(
      finished >= 0 &&
        few.slice(finished).every(({ state, packets }) => state === 'Finished' && packets === 4),
    )
    const generations = all.flatMap(({ name, status }) =>
      name === 'edited' ? [status.observedGeneration] : [],
    )
    t.deepEqual(
      generations,
      generations.toSorted((a, b) => a - b),
    )
    t.true(generations.length > 10, `${generations.length} statuses`)
    t.deepEqual(
      new Set(all.flatMap(({ name, status }) => (name === 'bad' ? [status.state] : []))),
      new Set(['Error']),
    )
  },
)

clusterTest('what happened is told once, whoever was killed', async t => {
  const { items } = await cluster().get<{
    items: { reason: string; involvedObject: { name: string } }[]
  }>('events', '-n', 'shop')
  const told = items.map(({ reason, involvedObject }) => `${involvedObject.name} ${reason}`)
  t.deepEqual(told.toSorted(), [...new Set(told)].toSorted())
  t.true(told.includes('web Started'))
})
