// A list in pages, as it is asked for.
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import test from 'ava'
import { listObjects } from '../../../src/controller/listObjects.ts'

function answer(statusCode: number, body: object): IncomingMessage {
  const stream = Readable.from([Buffer.from(JSON.stringify(body))])
  return Object.assign(stream, { statusCode, headers: {} }) as unknown as IncomingMessage
}

test('listObjects() reads page after page with the query, and keeps a part of each object', async t => {
  const asked: unknown[] = []
  const kube = async ({ query }: { readonly query?: object }) => {
    asked.push(query)
    const metadata = { resourceVersion: '1', ...(asked.length === 1 && { continue: 'more' }) }
    return answer(200, { metadata, items: [{ name: `n${asked.length}` }] })
  }
  const deps = { kube, signal: new AbortController().signal }
  const query = { fieldSelector: 'a=b' }
  const names = await listObjects(deps, { path: '/x', query }, ({ name }: { name: string }) => name)
  t.deepEqual(names, ['n1', 'n2'])
  t.deepEqual(asked, [
    { ...query, limit: '250' },
    { ...query, limit: '250', continue: 'more' },
  ])
})

test('listObjects() throws what the API server refuses', async t => {
  const deps = {
    kube: async () => answer(403, { message: 'no' }),
    signal: new AbortController().signal,
  }
  await t.throwsAsync(
    listObjects(deps, { path: '/x' }, each => each),
    {
      message: 'Cannot read /x: the API server answered 403, no',
    },
  )
})
