// What the agent's HTTPS side hands over, and what it withstands: the gateway may be somebody else
// by now, and whoever reaches the node's address may connect.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import test from 'ava'
import type { LiveEndpoint } from '../../../../src/files/captureFolder.ts'
import { Agent, files, gatewayToken } from '../../../support/kube/agentFixture.ts'
import { useInstalled } from '../../../support/kube/installManifests.ts'
import { until } from '../../../support/until.ts'

const server = useInstalled()
const sha256 = { 'want-repr-digest': 'sha-256=10' }
const name = 'web_cali1.pcap'
const file = `${files}/${name}`

test.serial('HEAD tells what GET would, on every path, and has no body', async t => {
  const agent = await Agent.start(t, server())
  const token = await gatewayToken(server())
  agent.write(name, '0123456789')
  for (const [path, headers] of [
    [files, {}],
    [file, sha256],
    [file, { range: 'bytes=2-5' }],
    [file, { range: 'bytes=99-' }],
    [`${files}/none.pcap`, {}],
    ['/nothing/here', {}],
  ] as const) {
    const [get, head] = [
      await agent.ask({ path, token, headers }),
      await agent.ask({ path, token, headers, method: 'HEAD' }),
    ]
    t.is(head.body.length, 0, path)
    const told = ['content-length', 'content-range', 'etag', 'repr-digest'] as const
    t.deepEqual(
      [head.code, ...told.map(header => head.headers[header])],
      [get.code, ...told.map(header => get.headers[header])],
      path,
    )
  }
  t.is(agent.openFiles(), 0)
})

for (const trick of [
  '..',
  '.',
  '%2e%2e',
  '%2e%2e%2f.selcap.json',
  '.selcap.json',
  '..%2f..%2f..%2fetc%2fpasswd',
  '%2fetc%2fpasswd',
  'a%00.pcap',
  'link.pcap',
  'pipe.pcap',
  'folder.pcap',
  '%c0%ae%c0%ae%2f',
  'x'.repeat(299),
]) {
  test.serial(`a file called ${trick.slice(0, 30)} is not there`, async t => {
    const agent = await Agent.start(t, server())
    const token = await gatewayToken(server())
    writeFileSync(join(agent.folder.directory, '..', 'secret'), 'root:')
    symlinkSync('../secret', join(agent.folder.directory, 'link.pcap'))
    mkdirSync(join(agent.folder.directory, 'folder.pcap'))
    execFileSync('mkfifo', [join(agent.folder.directory, 'pipe.pcap')])
    agent.write(name, 'packets')
    const paths = [
      `${files}/${trick}`,
      `/v1/captures/${trick}/web/uid-1/files`,
      `/v1/captures/shop/${trick}/uid-1/files`,
    ]
    for (const path of [...paths, `/v1/captures/shop/web/${trick}/files/${name}`]) {
      const { code, text } = await agent.ask({ path, token })
      t.true([400, 404, 414].includes(code), `${path}: ${code} ${text}`)
      t.notRegex(text, /root:|packets|rows/)
    }
    const listed: { name: string }[] = JSON.parse(
      (await agent.ask({ path: files, token })).text,
    ).files
    t.deepEqual(
      listed.map(each => each.name),
      [name],
    )
  })
}

test.serial(
  'a version that was rotated meanwhile is found by its tag, and the new file of its name is not taken for it',
  async t => {
    const agent = await Agent.start(t, server())
    const token = await gatewayToken(server())
    agent.write(name, 'first version')
    const { headers } = await agent.ask({ path: file, token })
    const tag = headers.etag ?? ''
    renameSync(
      join(agent.folder.directory, name),
      join(agent.folder.directory, 'web_cali1-20260101T000000.000Z.pcap'),
    )
    agent.write(name, 'the second version, longer than the first')
    for (const [asked, code, text] of [
      [{ 'if-match': tag }, 200, 'first version'],
      [{ 'if-range': tag, range: 'bytes=6-' }, 206, 'version'],
      [
        { 'if-range': '"0123456789abcdef-5"', range: 'bytes=6-' },
        200,
        'the second version, longer than the first',
      ],
      [
        { 'if-range': 'Sat, 21 Nov 2026 00:00:00 GMT', range: 'bytes=6-' },
        200,
        'the second version, longer than the first',
      ],
      [{ 'if-match': '"0123456789abcdef-5"' }, 412, undefined],
    ] as const) {
      const answer = await agent.ask({ path: file, token, headers: { ...asked } })
      t.is(answer.code, code, JSON.stringify(asked))
      if (text !== undefined) t.is(answer.text, text)
    }
    t.is(agent.openFiles(), 0)
  },
)

test.serial(
  'a digest is that of the version that is handed over, while the file grows',
  async t => {
    const agent = await Agent.start(t, server())
    const token = await gatewayToken(server())
    const digestOf = (text: string) =>
      `sha-256=:${createHash('sha256').update(text).digest('base64')}:`
    agent.write(name, 'one')
    const first = await agent.ask({ path: file, token, headers: sha256 })
    appendFileSync(join(agent.folder.directory, name), 'two')
    const second = await agent.ask({ path: file, token, headers: sha256 })
    const again = await agent.ask({
      path: file,
      token,
      headers: { ...sha256, 'if-match': first.headers.etag ?? '' },
    })
    t.deepEqual(
      [first, second, again].map(({ text, headers }) => [text, headers['repr-digest']]),
      ['one', 'onetwo', 'one'].map(text => [text, digestOf(text)]),
    )
    t.is((await agent.ask({ path: file, token })).headers['repr-digest'], undefined)
  },
)

test.serial('a client that goes in the middle leaves no file open', async t => {
  const agent = await Agent.start(t, server())
  const token = await gatewayToken(server())
  agent.write(name, Buffer.alloc(64_000_000))
  const responses = await Promise.all(
    Array.from({ length: 20 }, () => agent.open({ path: file, token })),
  )
  t.is(agent.openFiles(), 20)
  for (const response of responses) response.destroy()
  await until('the files to be closed', () => agent.openFiles() === 0)
  t.is((await agent.ask({ path: files, token })).code, 200)
})

test.serial(
  'no more than 256 requests are answered at once; the next is told to come again',
  async t => {
    const agent = await Agent.start(t, server())
    const token = await gatewayToken(server())
    agent.write(name, Buffer.alloc(16_000_000))
    const responses = await Promise.all(
      Array.from({ length: 256 }, () => agent.open({ path: file, token })),
    )
    t.true(responses.every(({ statusCode }) => statusCode === 200))
    const refused = await agent.ask({ path: files, token })
    t.deepEqual([refused.code, refused.headers['retry-after']], [503, '5'])
    for (const response of responses) response.destroy()
    await until('room', async () => (await agent.ask({ path: files, token })).code === 200)
    await until('the files to be closed', () => agent.openFiles() === 0)
    t.pass()
  },
)

test.serial(
  'files are not removed while one is written to, and a capture that is not here is no error',
  async t => {
    const agent = await Agent.start(t, server())
    const token = await gatewayToken(server())
    agent.write(name, 'packets')
    t.is(
      (await agent.ask({ path: files.replace('uid-1', 'uid-2'), token, method: 'DELETE' })).code,
      204,
    )
    agent.write('web_cali1-20260101T000000.000Z.pcap', 'rotated')
    await agent.folder.look()
    t.is(agent.folder.files().length, 2)
    const readable = { name, bytes: 7 }
    const row = { facts: { name: 'web' }, active: readable, readable } as unknown as LiveEndpoint
    agent.folder.begin('web', () => row, 0)
    const before = agent.removals
    t.is((await agent.ask({ path: files, token, method: 'DELETE' })).code, 409)
    t.is(agent.removals, before)
    t.is(agent.folder.files().length, 2)
    agent.folder.end('web', row, 'finished')
    t.is((await agent.ask({ path: files, token, method: 'DELETE' })).code, 204)
    t.is(agent.folder.files().length, 0)
    t.is(agent.removals, before + 1)
  },
)

test.serial('whoever connects and sends a header at a time is cut off', async t => {
  const agent = await Agent.start(t, server())
  const slow = connect({ host: '127.0.0.1', port: agent.port, rejectUnauthorized: false })
  slow.on('error', () => {})
  await once(slow, 'secureConnect')
  slow.write('GET / HTTP/1.1\r\nHost: x\r\n')
  const drip = setInterval(() => slow.write('X: y\r\n'), 500)
  const said: Buffer[] = []
  slow.on('data', chunk => said.push(chunk))
  await once(slow, 'close')
  clearInterval(drip)
  t.regex(Buffer.concat(said).toString(), /^HTTP\/1\.1 408 /)
})
