// What the user reads when the gateway, or whatever stands before it, refuses a request.
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import test from 'ava'
import { failureOf } from '../../../../src/kubectl/client/gateway.ts'
import { refusalHeader } from '../../../../src/model/refusalHeader.ts'

function answer(
  statusCode: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): IncomingMessage {
  return Object.assign(Readable.from([Buffer.from(body)]), {
    statusCode,
    headers,
  }) as unknown as IncomingMessage
}

test('failureOf() prints a whole sentence of the gateway as it is', async t => {
  const failure = await failureOf(
    answer(404, 'Cannot find a capture "web"\n', { [refusalHeader]: 'sentence' }),
    'stream shop/web',
  )
  t.is(failure.message, 'Cannot find a capture "web"')
  t.is(failure.exitCode, 3)
})

test('failureOf() says what could not be done where the answer is no sentence of the gateway, whatever its first words', async t => {
  const proxy = await failureOf(
    answer(503, JSON.stringify({ kind: 'Status', message: 'no endpoints available' })),
    'stream shop/web',
  )
  t.is(proxy.message, 'Cannot stream shop/web: no endpoints available')
  const stranger = await failureOf(answer(502, 'Cannot GET /v1'), 'stream shop/web')
  t.is(stranger.message, 'Cannot stream shop/web: Cannot GET /v1')
})
