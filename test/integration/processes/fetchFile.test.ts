// fetchFile() against an HTTPS server that speaks the gateway's contract, and can be told to
// misbehave: break off, grow, lie.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { fetchFile } from '../../../src/kubectl/client/fetchFile.ts'
import { serveGateway } from '../../support/kube/fakeGateway.ts'
import { until } from '../../support/until.ts'

type Behaviour = (request: IncomingMessage, response: ServerResponse) => boolean
type Scene = {
  readonly target: string
  readonly requests: string[] // "METHOD range"
  readonly fetch: (signal?: AbortSignal) => ReturnType<typeof fetchFile>
  readonly seen: number[]
}

const bytes = randomBytes(3_000_000)
const digest = (data: Buffer) => createHash('sha256').update(data)

/** `misbehave` answers itself when it returns true. */
async function scene(t: ExecutionContext, misbehave: Behaviour = () => false): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-fetch-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const requests: string[] = []
  const gateway = await serveGateway(t, (request, response) => {
    requests.push(`${request.method} ${request.headers.range ?? 'all'}`)
    if (misbehave(request, response)) return
    const from =
      request.headers['if-range'] === '"v1"'
        ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
        : 0
    const range =
      from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}
    const repr = `sha-256=:${digest(bytes).digest('base64')}:`
    response.writeHead(from > 0 ? 206 : 200, {
      etag: '"v1"',
      'content-length': bytes.length - from,
      'repr-digest': repr,
      ...range,
    })
    response.end(request.method === 'HEAD' ? undefined : bytes.subarray(from))
  })
  const target = join(directory, 'node-1', 'web.pcap')
  const seen: number[] = []
  const fetch = (signal = new AbortController().signal) =>
    fetchFile({
      gateway,
      path: '/file',
      target,
      signal,
      onBytes: each => seen.push(each),
      stallMs: 2_000,
    })
  return { target, requests, fetch, seen }
}

function breakOffAfter(response: ServerResponse, from: number, to: number, etag = '"v1"'): true {
  const repr = `sha-256=:${digest(bytes).digest('base64')}:`
  response.writeHead(from > 0 ? 206 : 200, {
    etag,
    'content-length': bytes.length - from,
    'repr-digest': repr,
  })
  response.write(bytes.subarray(from, to), () => response.destroy())
  return true
}

test('fetchFile() brings a file, and nothing beside it', async t => {
  const { fetch, target, seen, requests } = await scene(t)
  t.deepEqual(await fetch(), {
    bytes: bytes.length,
    sha256: digest(bytes).digest('hex'),
    isNew: true,
  })
  t.true(readFileSync(target).equals(bytes))
  t.is(seen.at(-1), bytes.length)
  t.false(existsSync(`${target}.part`) || existsSync(`${target}.part.json`))
  t.is(statSync(target).mode & 0o777, 0o600)
  t.deepEqual(requests, ['GET all'])
})

test('fetchFile() asks for nothing but the checksum of what it has already', async t => {
  const { fetch, requests } = await scene(t)
  await fetch()
  t.false((await fetch()).isNew)
  t.deepEqual(requests, ['GET all', 'HEAD all'])
})

test('fetchFile() goes on where it broke off, as often as it takes', async t => {
  let breaks = 0
  const { fetch, target, requests } = await scene(t, (request, response) => {
    const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0)
    return ++breaks <= 2 && breakOffAfter(response, from, from + 1_000_000)
  })
  await fetch()
  t.true(readFileSync(target).equals(bytes))
  t.is(requests.length, 3)
  t.regex(requests[1] ?? '', /^GET bytes=\d+-$/)
  const starts = requests.slice(1).map(line => Number(/\d+/.exec(line)?.[0]))
  t.true((starts[0] ?? 0) > 0 && (starts[1] ?? 0) > (starts[0] ?? 0), requests.join(', '))
})

test('fetchFile() in another run goes on where an interrupted one stopped', async t => {
  const stop = new AbortController()
  let isFirst = true
  const { fetch, target, requests, seen } = await scene(t, (_, response) => {
    if (!isFirst) return false
    isFirst = false
    response.writeHead(200, {
      etag: '"v1"',
      'content-length': bytes.length,
      'repr-digest': `sha-256=:${digest(bytes).digest('base64')}:`,
    })
    response.write(bytes.subarray(0, 2_000_000))
    const look = setInterval(() => {
      if ((seen.at(-1) ?? 0) < 2_000_000) return
      clearInterval(look)
      stop.abort()
    }, 5)
    return true
  })
  await t.throwsAsync(fetch(stop.signal))
  const { size } = statSync(`${target}.part`) // what was on its way to the disk is not there
  t.true(size > 0 && size <= 2_000_000)
  await fetch()
  t.true(readFileSync(target).equals(bytes))
  t.is(requests.at(-1), `GET bytes=${size}-`)
})

test('fetchFile() begins again when the file is another one by now', async t => {
  let isFirst = true
  const { fetch, target } = await scene(t, (_, response) => {
    if (!isFirst) return false
    isFirst = false
    return breakOffAfter(response, 0, 1_000_000, '"v0"')
  })
  await fetch()
  t.true(readFileSync(target).equals(bytes))
})

test('fetchFile() refuses and removes what does not fit its checksum', async t => {
  const { fetch, target } = await scene(t, (_, response) => {
    const wrong = Buffer.from(bytes)
    wrong[1_234_567] = (wrong[1_234_567] ?? 0) ^ 1
    response.writeHead(200, {
      etag: '"v1"',
      'content-length': wrong.length,
      'repr-digest': `sha-256=:${digest(bytes).digest('base64')}:`,
    })
    response.end(wrong)
    return true
  })
  await t.throwsAsync(fetch(), {
    name: 'CommandFailure',
    message: /^Cannot trust .*web\.pcap: its SHA-256 is \w{64}, expected \w{64}; it was removed$/,
  })
  t.false(existsSync(target) || existsSync(`${target}.part`))
})

test('fetchFile() holds what was there before it to the checksum as well', async t => {
  const { fetch, target } = await scene(
    t,
    (request, response) =>
      request.headers.range === undefined && breakOffAfter(response, 0, 1_000_000),
  )
  const stop = new AbortController()
  const fetching = fetch(stop.signal)
  await until(
    'a part of the file',
    () => (statSync(`${target}.part`, { throwIfNoEntry: false })?.size ?? 0) > 0,
  )
  stop.abort()
  await t.throwsAsync(fetching)
  writeFileSync(`${target}.part`, Buffer.alloc(500_000))
  await t.throwsAsync(fetch(), { message: /^Cannot trust/ })
})

test('fetchFile() goes on by another connection when one is dead without a word', async t => {
  let isFirst = true
  const { fetch, target, requests } = await scene(t, (_, response) => {
    if (!isFirst) return false
    isFirst = false
    response.writeHead(200, {
      etag: '"v1"',
      'content-length': bytes.length,
      'repr-digest': `sha-256=:${digest(bytes).digest('base64')}:`,
    })
    return response.write(bytes.subarray(0, 1_000_000)) || true
  })
  await fetch()
  t.true(readFileSync(target).equals(bytes))
  t.regex(requests[1] ?? '', /^GET bytes=\d+-$/)
})

test('fetchFile() waits and asks again when the gateway says that there is too much at once', async t => {
  let busy = 2
  const { fetch, target, requests } = await scene(t, (_, response) => {
    if (busy-- <= 0) return false
    response.writeHead(429, { 'retry-after': '1' }).end('Too many requests\n')
    return true
  })
  await fetch()
  t.true(readFileSync(target).equals(bytes))
  t.is(requests.length, 3)
})

for (const [code, exitCode] of [
  [401, 4],
  [403, 4],
  [404, 3],
] as const) {
  test(`fetchFile() does not try again when the gateway answers ${code}`, async t => {
    const { fetch, requests } = await scene(t, (_, response) => {
      response.writeHead(code).end('the reason\n')
      return true
    })
    const error = await t.throwsAsync<Error & { exitCode: number }>(fetch(), {
      message: 'Cannot download /file: the reason',
    })
    t.is(error?.exitCode, exitCode)
    t.is(requests.length, 1)
  })
}

test('fetchFile() gives up when nothing comes any more', async t => {
  const { fetch, requests } = await scene(t, (_, response) => {
    response.destroy()
    return true
  })
  await t.throwsAsync(fetch(), { name: 'CommandFailure', message: /^Cannot download \/file: / })
  t.is(requests.length, 5)
})
