import test from 'ava'
import type { Chosen } from '../../../../src/kube/kubeconfig/choose.ts'
import { agentOf, clientCertificateOf, tlsOptionsOf } from '../../../../src/kube/kubeconfig/transport.ts' // biome-ignore format: one line

const chosen = (cluster: Chosen['cluster'], user: Chosen['user'] = {}): Chosen => ({
  cluster,
  user,
  namespace: 'default',
  hasNamespace: false,
  requestTimeoutMs: 0,
  isDefault: false,
})
const server = 'https://a.test'

test('TLS has the authority that is given, else the machine’s, else none is checked', t => {
  t.deepEqual(tlsOptionsOf(chosen({ server: 'http://a.test' })), {})
  const data = Buffer.from('ca').toString('base64')
  t.deepEqual(tlsOptionsOf(chosen({ server, certificateAuthorityData: data, tlsServerName: 'b' })), { ca: Buffer.from('ca'), servername: 'b' }) // biome-ignore format: one line
  t.true((tlsOptionsOf(chosen({ server })).ca?.length ?? 0) > 10)
  t.deepEqual(tlsOptionsOf(chosen({ server, insecureSkipTlsVerify: true })), { rejectUnauthorized: false }) // biome-ignore format: one line
})

test('each kind of proxy has its agent', async t => {
  const nameOf = async (cluster: Chosen['cluster']) =>
    (await agentOf(chosen(cluster), {})).constructor.name
  t.is(await nameOf({ server, proxyUrl: 'http://p.test:1' }), 'HttpsProxyAgent')
  t.is(await nameOf({ server, proxyUrl: 'socks5://p.test:1' }), 'SocksProxyAgent')
  t.is(await nameOf({ server: 'http://a.test', proxyUrl: 'http://p.test:1' }), 'HttpProxyAgent')
  t.is(await nameOf({ server: 'http://127.0.0.1' }), 'Agent')
})

test('a certificate file that cannot be read is refused', t => {
  const user = { clientCertificate: '/none.crt', clientKey: '/none.key' }
  t.throws(() => clientCertificateOf(chosen({ server }, user)), {
    message: /^Cannot use the kubeconfig: ENOENT.*\/none\.crt/,
  })
})
