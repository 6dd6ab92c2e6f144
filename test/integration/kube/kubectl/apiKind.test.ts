// `kubectl pcap` where all kinds of capture are installed: what it lists, describes and deletes, by
// name or by --api.
import { delimiter, join } from 'node:path'
import test from 'ava'
import { parseAllDocuments } from 'yaml'
import { exitCodes } from '../../../../src/model/codes.ts'
import { type ApiServer, startApiServer } from '../../../support/kube/apiServer.ts'
import { packetCapture } from '../../../support/kube/simulated.ts'
import { read, root } from '../../../support/repository.ts'

const shared: { api?: ApiServer } = {}
const pcap = (...args: string[]) => {
  if (!shared.api) throw new Error('Cannot test: no API server was started')
  return shared.api.ask(['pcap', ...args, '-n', 'shop'])
}

test.before(async () => {
  process.env.PATH = `${join(root, 'bin')}${delimiter}${process.env.PATH}`
  const api = await startApiServer()
  shared.api = api
  for (const folder of ['', 'retina', 'packetcaptureconfig'])
    await api.kubectl('apply', '--server-side', '-k', join(root, 'crds', folder))
  await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
  await api.kubectl('create', 'namespace', 'shop')
  const retina = parseAllDocuments(read('examples/retina/pods.yaml'))[0]?.toJS() as {
    metadata: object
  }
  const documents = [
    packetCapture('own', {}),
    { ...retina, metadata: { name: 'trace', namespace: 'shop' } },
    {
      apiVersion: 'networking.packet.io/v1',
      kind: 'PacketCaptureConfig',
      metadata: { name: 'config' },
      spec: { targetIPs: ['10.0.0.1'], duration: 10 },
    },
  ]
  for (const document of documents) {
    const { code, err } = await api.ask(['apply', '-f', '-'], { input: JSON.stringify(document) })
    if (code !== 0) throw new Error(`Cannot test: ${err}`)
  }
})
test.after.always(() => shared.api?.stop())

test.serial('list has a table for each kind, with names that kubectl takes', async t => {
  const { code, out } = await pcap('list')
  t.is(code, 0)
  t.deepEqual(
    out.split('\n').map(line => line.split(/ +/)[0]),
    [
      'NAME',
      'packetcapture.projectcalico.org/own',
      '',
      'NAME',
      'capture.retina.sh/trace',
      '',
      'NAME',
      'packetcaptureconfig.networking.packet.io/config',
      '',
    ],
  )
  t.is(
    (await pcap('list', '--api', 'packetcaptureconfig', '-o', 'name')).out,
    'packetcaptureconfig.networking.packet.io/config\n',
  )
  t.deepEqual(
    JSON.parse((await pcap('list', '-o', 'json')).out).items.map(
      (item: { kind: string }) => item.kind,
    ),
    ['PacketCapture', 'Capture', 'PacketCaptureConfig'],
  )
})

test.serial(
  'list leaves out a kind that one may not list, with a note, and fails where that is every kind',
  async t => {
    const { api } = shared
    const apply = (document: object) => api?.ask(['apply', '-f', '-'], { input: JSON.stringify(document) }) // biome-ignore format: one line
    await apply({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'captures', namespace: 'shop' },
      rules: [
        { apiGroups: ['projectcalico.org'], resources: ['packetcaptures'], verbs: ['list', 'get'] },
      ],
    })
    await api?.kubectl('create', 'rolebinding', 'captures', '-n', 'shop', '--role=captures', '--user=namespaced') // biome-ignore format: one line
    const mine = await pcap('list', '-o', 'name', '--as', 'namespaced')
    t.deepEqual([mine.code, mine.out], [0, 'packetcapture.projectcalico.org/own\n'])
    t.regex(mine.err, /^Left out: Cannot list captures: captures\.retina\.sh is forbidden: .*\nLeft out: .*packetcaptureconfigs\.networking\.packet\.io is forbidden: .* at the cluster scope\n$/) // biome-ignore format: one line
    const named = await pcap('list', '--api', 'packetcaptureconfig', '--as', 'namespaced')
    t.is(named.code, exitCodes.notAllowed)
    t.is((await pcap('list', '--as', 'nobody')).code, exitCodes.notAllowed)
  },
)

test.serial('describe finds a capture of any kind by its name', async t => {
  t.regex((await pcap('describe', 'own')).out, /^Name: +own\n/)
  t.regex(
    (await pcap('describe', 'trace')).out,
    /^Name: trace\nNamespace: shop\nKind: Capture\n[\s\S]*app: checkout/,
  )
  t.regex(
    (await pcap('describe', 'config')).out,
    /^Name: config\nKind: PacketCaptureConfig\n[\s\S]*targetIPs:\n +- 10\.0\.0\.1/,
  )
  t.is((await pcap('describe', 'nothing')).code, exitCodes.notFound)
  t.is((await pcap('describe', 'trace', '--api', 'packetcapture')).code, exitCodes.notFound)
})

test.serial('delete removes what the name is of, and --all those of one kind', async t => {
  t.is(
    (await pcap('delete', 'config')).out,
    'packetcaptureconfig.networking.packet.io "config" deleted\n',
  )
  t.is(
    (await pcap('delete', '--all', '--api', 'retina')).out,
    'capture.retina.sh "trace" deleted\n',
  )
  t.is((await pcap('list', '-o', 'name')).out, 'packetcapture.projectcalico.org/own\n')
})
