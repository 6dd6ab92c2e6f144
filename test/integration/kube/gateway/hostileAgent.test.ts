// An agent that turned bad: it has its node's report and certificate, so the gateway trusts it with
// that node's files, and with nothing else. What it lists becomes names on people's disks and
// terminals, what it answers becomes headers of the gateway.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeCertificate } from '../../../../src/auth/selfSignedCertificate.ts'
import { filesPath, zipPath } from '../../../support/kube/gatewayFixture.ts'
import { useInstalled } from '../../../support/kube/installManifests.ts'
import { LocalGateway } from '../../../support/kube/localGateway.ts'

const server = useInstalled()
const good = { name: 'web-0_cali1.pcap', bytes: 5, isActive: false, etag: '"0123456789abcdef-5"' }

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** Listens as the node's agent would, and says what it likes. */
async function liar(
  t: ExecutionContext,
  answer: Answer,
): Promise<{ readonly port: number; readonly fingerprint: string }> {
  const { key, cert, fingerprint } = await makeCertificate('node-1', [])
  const https = createServer({ key, cert }, answer)
  await new Promise<void>(resolve => https.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    https.closeAllConnections()
    https.close()
  })
  return { port: (https.address() as AddressInfo).port, fingerprint }
}

/** Lists that, and hands over five bytes for whatever is asked for. */
const listing =
  (files: unknown): Answer =>
  ({ url = '' }, response) =>
    url.endsWith('/files') ? response.end(JSON.stringify({ files })) : response.end('AAAAA')

type Manifest = {
  readonly files: readonly { file: string; complete: boolean }[]
  readonly nodes: readonly { node: string; error?: string }[]
}

function unzip(
  t: ExecutionContext,
  body: Buffer,
): { readonly manifest: Manifest; readonly names: readonly string[] } {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-lies-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(join(directory, 'a.zip'), body)
  const list =
    'import sys, json, zipfile; z = zipfile.ZipFile(sys.argv[1]); z.extractall(sys.argv[2]); print(json.dumps(z.namelist()))'
  const names = JSON.parse(
    execFileSync('python3', ['-c', list, join(directory, 'a.zip'), join(directory, 'out')], {
      encoding: 'utf8',
    }),
  )
  t.deepEqual(readdirSync(directory).toSorted(), ['a.zip', 'out'])
  return {
    manifest: JSON.parse(readFileSync(join(directory, 'out', 'manifest.json'), 'utf8')),
    names,
  }
}

const names = [
  '../../../tmp/stolen.pcap',
  '..',
  '/etc/cron.d/job.pcap',
  'a/b.pcap',
  'a\\..\\b.pcap',
  'C:evil.pcap',
  '.bashrc.pcap',
  '-rf.pcap',
  'a\u0000b.pcap',
  'a\r\nX-Evil: 1.pcap',
  '\u001b[2J\u001b]0;owned\u0007.pcap',
  'a\u202efdp.pcap',
  '$(reboot).pcap',
  '`reboot`.pcap',
  'a b.pcap',
  'script.sh',
  'manifest.json',
  '',
  `${'x'.repeat(251)}.pcap`,
] as const

test.serial(
  'names that an agent makes up reach nobody, and the reader is told that something is wrong there',
  async t => {
    const others = [null, 7, 'web.pcap', {}, { ...good, name: 7 }, { ...good, name: ['a.pcap'] }]
    const facts = [
      { bytes: -1 },
      { bytes: 1.5 },
      { bytes: 1e300 },
      { bytes: '5' },
      { etag: '"a"\r\nX: y' },
      { etag: 7 },
      { etag: '' },
    ]
    const hostile = [
      ...names.map(name => ({ ...good, name })),
      ...others,
      ...facts.map(each => ({ ...good, name: 'other.pcap', ...each })),
    ]
    const gateway = await LocalGateway.start(t, server(), {
      agent: await liar(t, listing([...hostile, good, good])),
    })
    const answer = await gateway.ask({ path: zipPath })
    t.is(answer.code, 200)
    const { manifest, names: zipped } = unzip(t, answer.body)
    t.deepEqual(zipped, [`node-1/${good.name}`, 'manifest.json'])
    t.deepEqual(manifest.files.map(({ file, complete }) => [file, complete]), [[good.name, true]]) // biome-ignore format: one line
    const error = `the agent listed ${hostile.length + 1} entries that are no capture files`
    t.deepEqual([manifest.nodes[0]?.error, answer.trailers['x-selcap-missing']], [error, 'node-1'])
    const listed = JSON.parse((await gateway.ask({ path: filesPath })).text)
    t.deepEqual(listed.files, [{ node: 'node-1', file: good.name, bytes: 5, active: false }])
    t.is(listed.nodes[0].error, error)
  },
)

for (const [what, answer] of [
  ['no list', listing({ length: 1 })],
  ['nothing of the kind', (_, response) => void response.end('[]')],
  ['no JSON', (_, response) => void response.end('{"files":[')],
  ['an endless list', (_, response) => endless(response)],
  [
    'a redirect',
    (_, response) => void response.writeHead(302, { location: 'https://127.0.0.1:6443/' }).end(),
  ],
  ['an error', (_, response) => void response.writeHead(500).end('<script>')],
  ['no HTTP', ({ socket }) => void socket.end('SSH-2.0-x\r\n')],
] as readonly (readonly [string, Answer])[]) {
  test.serial(`an agent that answers with ${what} is one that could not be had`, async t => {
    const gateway = await LocalGateway.start(t, server(), { agent: await liar(t, answer) })
    const { code, body, trailers } = await gateway.ask({ path: zipPath })
    t.deepEqual([code, trailers['x-selcap-missing']], [200, 'node-1'])
    const { manifest, names: zipped } = unzip(t, body)
    t.deepEqual([zipped, manifest.files], [['manifest.json'], []])
    t.truthy(manifest.nodes[0]?.error)
  })
}

function endless(response: ServerResponse): void {
  const more = () =>
    void (response.write(`{"name":"${'x'.repeat(65_536)}"},`)
      ? setImmediate(more)
      : response.once('drain', more))
  response.write('{"files":[')
  response.on('error', () => {})
  more()
}

test.serial(
  'what an agent says of a file is no header of the gateway, and not more than the file',
  async t => {
    const headers = {
      'content-type': 'text/html',
      'set-cookie': 'a=b',
      location: 'https://evil',
      'content-disposition': 'inline; filename=x',
    }
    const agent = await liar(t, ({ url = '' }, response) => {
      if (url.endsWith('/files')) response.end(JSON.stringify({ files: [good] }))
      else response.writeHead(200, { ...headers, etag: good.etag }).end('<script>'.repeat(1_000)) // 5 bytes were listed
    })
    const gateway = await LocalGateway.start(t, server(), { agent })
    const file = await gateway.ask({ path: `${filesPath}/node-1/${good.name}` })
    t.is(file.code, 200)
    t.is(file.headers['content-type'], 'application/vnd.tcpdump.pcap')
    t.is(file.headers['x-content-type-options'], 'nosniff')
    for (const name of ['set-cookie', 'location', 'content-disposition'])
      t.is(file.headers[name], undefined, name)
    const { manifest } = unzip(t, (await gateway.ask({ path: zipPath })).body)
    t.like(manifest.files[0], {
      bytes: 5,
      complete: false,
      error: 'the agent sent more than the 5 bytes it listed',
    })
  },
)

test.serial(
  'a status that an agent makes up is an error of the gateway, which says no word of the agent',
  async t => {
    for (const status of [201, 204, 301, 401, 403, 500]) {
      const agent = await liar(
        t,
        (_, response) => void response.writeHead(status, { 'www-authenticate': 'Basic' }).end(),
      )
      const gateway = await LocalGateway.start(t, server(), { agent })
      const { code, text, headers } = await gateway.ask({
        path: `${filesPath}/node-1/${good.name}`,
      })
      t.deepEqual([code, headers['www-authenticate']], [502, undefined], `${status}`)
      t.is(text, 'Cannot answer: the cluster did not, the log of the gateway says why\n')
    }
  },
)
