import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import test from 'ava'
import {
  apply,
  applyBody,
  create,
  get,
  patch,
  refusalText,
  remove,
} from '../../../src/kube/client.ts'
import type { Kube, KubeRequest } from '../../../src/kube/request.ts'
import { ExpectedError } from '../../../src/model/errors.ts'

/** An API server that gives one answer. */
function serverOf(statusCode: number, body: unknown) {
  const requests: KubeRequest[] = []
  const kube: Kube = async request => {
    requests.push(request)
    return Object.assign(Readable.from([Buffer.from(JSON.stringify(body))]), {
      statusCode,
      headers: {},
    }) as unknown as IncomingMessage
  }
  return { kube, sent: () => ({ ...requests[0], signal: undefined }) }
}

test('get() gives the object', async t => {
  const { kube, sent } = serverOf(200, { kind: 'Pod' })
  t.deepEqual(await get(kube, '/api/v1/pods/a'), { ok: true, status: 200, body: { kind: 'Pod' } })
  t.like(sent(), { path: '/api/v1/pods/a', headers: { accept: 'application/json' } })
})

test('get() gives the status and the reason when the server refuses', async t => {
  const answer = await get(serverOf(403, { message: 'pods is forbidden' }).kube, '/api/v1/pods')
  t.deepEqual(answer, { ok: false, status: 403, message: 'pods is forbidden' })
  t.is(answer.ok ? '' : refusalText(answer), 'the API server answered 403, pods is forbidden')
})

test('get() refuses an answer that is longer than bytesMax', async t => {
  await t.throwsAsync(get(serverOf(200, { data: 'x'.repeat(100) }).kube, '/x', { bytesMax: 50 }), {
    message: /longer than 50 bytes/,
  })
})

test('get() refuses an answer that breaks off or is no JSON with an expected error', async t => {
  const serverThatSends = (chunks: () => Generator<Buffer>): Kube => {
    return async () =>
      Object.assign(Readable.from(chunks()), {
        statusCode: 200,
        headers: {},
      }) as unknown as IncomingMessage
  }
  const brokenOff = serverThatSends(function* () {
    yield Buffer.from('{')
    throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
  })
  const page = serverThatSends(function* () {
    yield Buffer.from('<html>')
  })
  await t.throwsAsync(get(brokenOff, '/x'), {
    instanceOf: ExpectedError,
    message: 'Cannot read the answer: aborted',
  })
  await t.throwsAsync(get(page, '/x'), {
    instanceOf: ExpectedError,
    message: /^Cannot read the answer: Unexpected token/,
  })
})

test('create() posts JSON', async t => {
  const { kube, sent } = serverOf(201, {})
  await create(kube, '/x', { kind: 'Lease' })
  t.like(sent(), {
    method: 'POST',
    body: '{"kind":"Lease"}',
    headers: { 'content-type': 'application/json' },
  })
})

for (const [type, content] of [
  ['json', 'application/json-patch+json'],
  ['merge', 'application/merge-patch+json'],
] as const)
  test(`patch() sends ${content} when its type is ${type}`, async t => {
    const { kube, sent } = serverOf(200, {})
    await patch(kube, '/x', { type, body: [] })
    t.like(sent(), { method: 'PATCH', body: '[]', headers: { 'content-type': content } })
  })

test('apply() forces fields of its manager, and reads no object back', async t => {
  const { kube, sent } = serverOf(200, { kind: 'ConfigMap' })
  t.deepEqual(await apply(kube, '/x', { object: {}, fieldManager: 'a' }), {
    ok: true,
    status: 200,
    body: undefined,
  })
  t.like(sent(), { method: 'PATCH', query: { fieldManager: 'a', force: 'true' } })
})

test('remove() names the object by uid and version', async t => {
  const { kube, sent } = serverOf(200, {})
  await remove(kube, '/x', { uid: 'u', resourceVersion: '7' })
  t.deepEqual(JSON.parse(sent().body ?? '').preconditions, { uid: 'u', resourceVersion: '7' })
})

test('applyBody() escapes what YAML refuses and replaces half a surrogate pair', t => {
  t.is(applyBody({ text: 'a\u0085b\ufeff\ud800' }), '{"text":"a\\u0085b\\ufeff\ufffd"}')
})
