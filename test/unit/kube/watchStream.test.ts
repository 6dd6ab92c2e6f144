import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import test from 'ava'
import { SilentWatch, type WatchEvent, watchStream } from '../../../src/kube/watchStream.ts'

/** A watch whose server sends these lines; it ends the response, or says nothing more. */
function watchOf(lines: readonly string[], { isEnded = true, silentMsMax = 60_000 } = {}) {
  const response = new PassThrough()
  const open = async (signal: AbortSignal) => {
    signal.addEventListener('abort', () => response.destroy(new Error('aborted')))
    for (const line of lines) response.write(`${line}\n`)
    if (isEnded) response.end()
    return response as unknown as IncomingMessage
  }
  return { response, events: watchStream({ path: '/x', open, silentMsMax }) }
}

async function typesOf(events: AsyncIterable<WatchEvent>): Promise<string[]> {
  const types: string[] = []
  for await (const { type } of events) types.push(type)
  return types
}

const line = (type: string) =>
  JSON.stringify({ type, object: { metadata: { name: 'a', uid: 'u', resourceVersion: '1' } } })

test('watchStream() gives an event for each line, and ends with the response', async t => {
  const { events } = watchOf([line('ADDED'), line('BOOKMARK')])
  t.deepEqual(await typesOf(events), ['ADDED', 'BOOKMARK'])
})

test('watchStream() refuses a watch that ends at once without an event', async t => {
  await t.throwsAsync(typesOf(watchOf([]).events), { message: 'Cannot watch /x: it ended at once' })
})

test('watchStream() refuses a watch that is silent, though it had events before', async t => {
  const seen: WatchEvent[] = []
  const { events } = watchOf([line('ADDED')], { isEnded: false, silentMsMax: 20 })
  const read = async () => {
    for await (const event of events) seen.push(event)
  }
  await t.throwsAsync(read(), {
    instanceOf: SilentWatch,
    message: 'Cannot watch /x: nothing was heard for 20 ms',
  })
  t.is(seen.length, 1)
})

test('watchStream() closes the connection when the caller stops reading', async t => {
  const { response, events } = watchOf([line('ADDED'), line('ADDED')], { isEnded: false })
  for await (const _ of events) break
  t.true(response.destroyed)
})
