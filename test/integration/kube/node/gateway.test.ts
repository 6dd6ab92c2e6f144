// The gateway as it is installed, on a real node: two replicas behind the API server's proxy of
// their Service, and a developer with rights in one namespace, none on nodes, pods or selcap's own
// namespace, who gets what was captured.
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { busyboxPod } from '../../../support/kube/node/config.ts'
import { installSelcap, systemNamespace } from '../../../support/kube/node/install.ts'
import { useNode } from '../../../support/kube/node/useNode.ts'
import { packetCapture } from '../../../support/kube/simulated.ts'
import { until } from '../../../support/until.ts'

const { node, nodeTest } = useNode()
const proxy = `/api/v1/namespaces/${systemNamespace}/services/https:selcap-gateway:https/proxy`
const shop = ['-n', 'shop'] as const
const directory = '/var/log/calico/pcap/shop/web'

type Got = { readonly code: number; readonly headers: string; readonly file: string }

/**
 * As that account, through the API server's proxy, which keeps the header Authorization for itself.
 */
async function ask(account: string, path: string, ...options: string[]): Promise<Got> {
  const token = (await node().kubectl('create', 'token', account, ...shop)).trim()
  const [said, file] = [
    join(node().directory, `${account}.headers`),
    join(node().directory, `${account}.answer`),
  ]
  writeFileSync(said, `Authorization: Bearer ${token}\nX-Selcap-Authorization: Bearer ${token}\n`, {
    mode: 0o600,
  })
  const common = [
    '-sS',
    '--cacert',
    node().api.caFile,
    '-H',
    `@${said}`,
    '-D',
    '-',
    '-o',
    file,
    '-w',
    '%{http_code}',
  ]
  const out = await node().run('curl', ...common, ...options, `${node().api.url}${proxy}${path}`)
  return { code: Number(out.slice(-3)), headers: out.slice(0, -3), file }
}

nodeTest(
  'the gateway rolls out from daemonset/base and answers through the API server',
  async t => {
    await installSelcap(node())
    t.is(await node().kubectl('get', '--raw', `${proxy}/readyz`), 'ok\n')
    t.is(await node().kubectl('get', '--raw', `${proxy}/healthz`), 'ok\n')
  },
)

nodeTest(
  'a developer of one namespace downloads a capture of it through the API server',
  async t => {
    await node().kubectl('create', 'namespace', 'shop')
    for (const name of ['dev', 'stranger'])
      await node().kubectl('create', 'serviceaccount', name, ...shop)
    await node().kubectl(
      'create',
      'rolebinding',
      'dev',
      ...shop,
      '--clusterrole=selcap-files',
      '--serviceaccount=shop:dev',
    )
    await node().apply(
      busyboxPod('shop', 'web', { app: 'web' }, 'echo hello >/www/index.html; httpd -f -h /www'),
    )
    await node().apply(busyboxPod('shop', 'client', { app: 'client' }))
    await node().kubectl('wait', ...shop, '--for=condition=Ready', 'pod', '--all', '--timeout=60s')
    await node().apply(
      JSON.stringify(
        packetCapture('web', {
          selector: "app == 'web'",
          filters: [{ protocol: 'TCP', ports: [80] }],
        }),
      ),
    )
    const wait = (state: string) =>
      node().kubectl(
        'wait',
        ...shop,
        `--for=jsonpath={.status.state}=${state}`,
        'pcap/web',
        '--timeout=40s',
      )
    await wait('WaitingForTraffic')
    const address = await node().kubectl(
      'get',
      'pod',
      'web',
      ...shop,
      '-o',
      'jsonpath={.status.podIP}',
    )
    await node().kubectl('exec', ...shop, 'client', '--', 'wget', '-qO-', `http://${address}/`)
    await wait('Capturing')
    await node().kubectl(
      'patch',
      'pcap',
      'web',
      ...shop,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { endTime: new Date().toISOString() } }),
    )
    await wait('Finished')

    const zip = await ask('dev', '/packet-capture/download/shop/web/files.zip')
    t.is(zip.code, 200, zip.headers)
    const out = join(node().directory, 'unpacked')
    await node().run('python3', '-m', 'zipfile', '-e', zip.file, out)
    const manifest = JSON.parse(await node().run('cat', join(out, 'manifest.json')))
    t.like(manifest.nodes, [{ node: node().name, dropped: 0, error: undefined }])
    const [{ file, sha256, complete, active }] = manifest.files
    t.deepEqual([manifest.files.length, complete, active], [1, true, false])
    const sumOf = async (path: string) => (await node().run('sha256sum', path)).split(' ')[0]
    t.deepEqual(
      [await sumOf(join(out, node().name, file)), await sumOf(join(directory, file))],
      [sha256, sha256],
    )
    t.regex(
      await node().run('tcpdump', '-nr', join(out, node().name, file)),
      /HTTP: GET \/ HTTP\/1\.1[\s\S]*HTTP: HTTP\/1\.[01] 200 OK/,
    )

    const path = `/v1/namespaces/shop/packetcaptures/web/files/${node().name}/${file}`
    const whole = await ask('dev', path)
    t.is(await sumOf(whole.file), sha256)
    t.regex(
      whole.headers,
      new RegExp(
        `^repr-digest: sha-256=:${Buffer.from(sha256, 'hex').toString('base64').replaceAll(/[+/]/g, '\\$&')}:`,
        'im',
      ),
    )
    const rest = await ask('dev', path, '-H', 'Range: bytes=24-')
    t.is(rest.code, 206)
    const text = await node().run('base64', '-w0', rest.file)
    const body = Buffer.from(await node().run('base64', '-w0', join(directory, file)), 'base64')
    t.is(
      createHash('sha256').update(Buffer.from(text, 'base64')).digest('hex'),
      createHash('sha256').update(body.subarray(24)).digest('hex'),
    )
  },
)

nodeTest(
  'whoever has no right to the files is told which, and has no other way to them',
  async t => {
    const refused = await ask('stranger', '/packet-capture/download/shop/web/files.zip')
    t.is(refused.code, 403)
    t.regex(
      await node().run('cat', refused.file),
      /^User "system:serviceaccount:shop:stranger" may not get packetcaptures\/files /,
    )
    const agent = `https://${await node().kubectl('get', 'ncr', node().name, '-o', 'jsonpath={.report.address}:{.report.port}')}`
    t.is(
      await node().run(
        'curl',
        '-sk',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        `${agent}/v1/captures/shop/web/x/files`,
      ),
      '401',
    )
    const may = (...args: string[]) =>
      node().ask([
        'auth',
        'can-i',
        ...args,
        '--as=system:serviceaccount:shop:dev',
        '--as-group=system:authenticated',
      ])
    for (const asked of [
      'get nodes',
      'get pods -n selcap-system',
      'create pods/portforward -n selcap-system',
      'get services/proxy -n selcap-system',
    ])
      t.is((await may(...asked.split(' '))).out.trim(), 'no', asked)
  },
)

nodeTest(
  'files are removed through the API server, and the capture tells who had them',
  async t => {
    t.is((await ask('dev', '/packet-capture/files/shop/web/files.zip', '-X', 'DELETE')).code, 204)
    t.is((await node().run('bash', '-c', `ls ${directory}/*.pcap 2>/dev/null | wc -l`)).trim(), '0')
    await until('the events', async () => {
      const said = await node().kubectl(
        'get',
        'events',
        ...shop,
        '-o',
        'jsonpath={range .items[*]}{.reason} {.message}{"\\n"}{end}',
      )
      return (
        /Downloaded .*:dev had files\.zip, \d+ bytes \(done\)/.test(said) &&
        /Cleaned .*:dev removed the files \(done\)/.test(said)
      )
    })
    t.pass()
  },
)
