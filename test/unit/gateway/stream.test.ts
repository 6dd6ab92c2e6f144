// Which path of an agent a live stream is asked for at, and what the log has of agents that give
// none. No agent: its answers are ours.
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import test from 'ava'
import type { AgentRequest } from '../../../src/agentapi/client/agents.ts'
import type { GatewayCapture, NodeFiles } from '../../../src/gateway/captureCache.ts'
import { openStream, type StreamDeps } from '../../../src/gateway/stream.ts'
import type { Api } from '../../../src/model/captureRef.ts'
import { HandClock } from '../../support/handClock.ts'

/**
 * A capture on one node, whose agent gives these answers one after the other, and then a stream
 * without an end.
 */
function streamOf(api: Api, answers: readonly (number | Error)[] = []) {
  const capture = {
    kind: api,
    metadata: { namespace: 'shop', name: 'trace', uid: 'u-1' },
  } as unknown as GatewayCapture
  const place = { node: 'node-1', address: '192.0.2.1', port: 9_878 }
  const nodes = [
    { node: 'node-1', place, row: { file: { state: 'Capturing' } } },
  ] as unknown as NodeFiles[]
  const [paths, lines, left]: [string[], string[], (number | Error)[]] = [[], [], [...answers]]
  const request = async (_: unknown, { path, signal }: AgentRequest): Promise<IncomingMessage> => {
    paths.push(path)
    const answer = left.shift()
    if (answer instanceof Error) throw answer
    const response = Object.assign(new PassThrough(), { statusCode: answer ?? 200 })
    signal.addEventListener('abort', () => response.destroy())
    return (answer === undefined ? response : response.end()) as unknown as IncomingMessage
  }
  const clock = new HandClock(0)
  const log = {
    info: ({ node, reason }: { node: string; reason: string }) => lines.push(`${node}: ${reason}`),
  } as unknown
  const deps = {
    cluster: { nodesWithFiles: () => nodes, capture: () => capture },
    agents: { request },
    clock,
    log,
  } as StreamDeps
  const live = openStream(deps, capture)
  return { paths, lines, clock, end: () => void live?.stream.destroy() }
}

for (const [api, path] of [
  ['PacketCapture', '/v1/captures/shop/trace/u-1/stream'],
  ['Capture', '/v1/captures/shop.retina.sh/trace/u-1/stream'],
  ['PacketCaptureConfig', '/v1/captures/networking.packet.io/trace/u-1/stream'],
] as const) {
  test(`openStream() asks the agent for ${path} when the capture is a ${api}`, t => {
    const { paths, end } = streamOf(api)
    t.deepEqual(paths, [path])
    end()
  })
}

test('openStream() asks a node again that refuses, and logs the reason once', async t => {
  const { paths, lines, clock, end } = streamOf('PacketCapture', [409, 409, 409])
  await clock.pass(10_000)
  t.is(paths.length, 4)
  t.deepEqual(lines, ['node-1: the agent answered 409'])
  end()
})

test('openStream() logs a node again when the reason is another one, or when it had given a stream', async t => {
  const { lines, clock, end } = streamOf('PacketCapture', [
    429,
    new Error('no route'),
    new Error('no route'),
    200,
    429,
  ])
  await clock.pass(15_000)
  t.deepEqual(lines, [
    'node-1: the agent answered 429',
    'node-1: no route',
    'node-1: the agent answered 429',
  ])
  end()
})
