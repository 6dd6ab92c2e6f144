// The plugin on a real node, where selcap is installed as its users install it: a user who
// administers one namespace creates a capture, has packets and files through the service proxy and
// through a port-forward, and nothing of another namespace.
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { kubeconfig } from '../../../support/kube/credentials.ts'
import type { Answer } from '../../../support/kube/kubectl.ts'
import { busyboxPod } from '../../../support/kube/node/config.ts'
import { installSelcap } from '../../../support/kube/node/install.ts'
import { useNode } from '../../../support/kube/node/useNode.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { root } from '../../../support/repository.ts'

const { node, nodeTest } = useNode()

let user = ''
const pcap = (...args: string[]): Promise<Answer> =>
  node().ask(['pcap', ...args, '--kubeconfig', user])

nodeTest(
  'a user who administers one namespace makes a capture there, with the roles of the installation alone',
  async t => {
    process.env.PATH = `${join(root, 'bin')}${delimiter}${process.env.PATH}`
    await installSelcap(node())
    for (const name of ['shop', 'other']) await node().kubectl('create', 'namespace', name)
    await node().kubectl('create', 'serviceaccount', 'dev', '-n', 'shop')
    await node().kubectl(
      'create',
      'rolebinding',
      'dev',
      '-n',
      'shop',
      '--clusterrole=admin',
      '--serviceaccount=shop:dev',
    )
    const token = (await node().kubectl('create', 'token', 'dev', '-n', 'shop')).trim()
    const config = JSON.parse(kubeconfig(node().api.url, node().api.caFile, token)) as {
      contexts: { context: object }[]
    }
    const contexts = config.contexts.map(each => ({
      ...each,
      context: { ...each.context, namespace: 'shop' },
    }))
    user = join(node().directory, 'dev.kubeconfig')
    writeFileSync(user, JSON.stringify({ ...config, contexts }))
    await node().apply(
      busyboxPod('shop', 'web-0', { app: 'web' }, 'echo hello >/www/index.html; httpd -f -h /www'),
    )
    await node().apply(busyboxPod('shop', 'client', { app: 'client' }))
    await node().kubectl(
      'wait',
      '-n',
      'shop',
      '--for=condition=Ready',
      'pod',
      '--all',
      '--timeout=60s',
    )
    const { code, err } = await pcap(
      'create',
      'web',
      '--pod',
      'web-0',
      '--protocol',
      'TCP',
      '--port',
      '80',
      '--wait',
    )
    t.is(code, 0, err)
    const address = await node().kubectl(
      'get',
      'pod',
      'web-0',
      '-n',
      'shop',
      '-o',
      'jsonpath={.status.podIP}',
    )
    t.is(
      await node().kubectl(
        'exec',
        '-n',
        'shop',
        'client',
        '--',
        'wget',
        '-qO-',
        `http://${address}/`,
      ),
      'hello\n',
    )
    t.is((await pcap('list', '-n', 'other')).code, 4)
  },
)

for (const [way, args] of [
  ['the service proxy', ['--via', 'proxy']],
  ['what works', []],
] as const) {
  nodeTest(`kubectl pcap download comes through ${way}`, async t => {
    const dest = mkdtempSync(join(node().directory, 'download-'))
    const { code, err } = await pcap('download', 'web', '--dest', dest, ...args)
    t.is(code, 0, err)
    const file = (
      await node().kubectl(
        'get',
        'packetcapture',
        'web',
        '-n',
        'shop',
        '-o',
        'jsonpath={.status.files[0].fileNames[0]}',
      )
    ).trim()
    t.true(readRecords(readFileSync(join(dest, node().name, file)), 'pcap').length >= 8) // of one HTTP request
  })
}

nodeTest(
  'kubectl pcap download comes through a port-forward, as somebody who may make one',
  async t => {
    const dest = mkdtempSync(join(node().directory, 'download-'))
    const args = [
      '--via',
      'port-forward',
      '--service-account',
      'dev',
      '-n',
      'shop',
      '--merge',
      join(dest, 'all.pcapng'),
      '--dest',
      dest,
    ]
    const { code, err } = await node().ask(['pcap', 'download', 'web', ...args])
    t.is(code, 0, err)
    t.regex(err, /Merged \d+ packets/)
    t.true(existsSync(join(dest, 'all.pcapng')))
    const refused = await pcap('download', 'web', '--via', 'port-forward')
    t.is(refused.code, 4)
    t.regex(refused.err, /^Cannot reach the gateway: .*selcap-system/)
  },
)

nodeTest('kubectl pcap clean removes the files when the capture was stopped', async t => {
  t.is((await pcap('stop', 'web')).code, 0)
  await node().kubectl(
    'wait',
    '--for=jsonpath={.status.state}=Finished',
    'packetcapture/web',
    '-n',
    'shop',
    '--timeout=60s',
  )
  const { code, out, err } = await pcap('clean', 'web')
  t.is(code, 0, err)
  t.is(out, 'Clean capture files for shop/web\n')
})
