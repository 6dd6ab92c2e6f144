// The words for pods on nodes without an agent, and how many of them a status holds.
import test from 'ava'
import {
  agentlessMessage,
  agentlessReason,
  agentlessSummary,
  boundedNodes,
} from '../../../../src/core/status/agentless.ts'

const pods = (count: number) => Array.from({ length: count }, (_, index) => `web-${index}`)
const fargate = { node: 'far', kind: 'Fargate', pods: pods(5) } as const
const linux = { node: 'a', kind: 'Linux', pods: pods(1) } as const

test('a message names the kind of node and three pods, and counts the others', t => {
  t.is(
    agentlessMessage(fargate),
    'no agent runs on a Fargate node, so nothing is captured of web-0, web-1, web-2 and 2 more',
  )
  const summary = `a: no agent runs there, so nothing is captured of web-0; far: ${agentlessMessage(fargate)}`
  t.is(agentlessSummary([linux, fargate]), summary)
  t.true(agentlessReason([linux, fargate]).endsWith(`without an agent: ${summary}`))
})

test('a status holds a hundred nodes with twenty pods each', t => {
  const many = Array.from({ length: 101 }, () => ({ ...linux, pods: pods(21) }))
  const held = boundedNodes(many)
  t.is(held.length, 100)
  t.deepEqual([...new Set(held.map(each => each.pods.length))], [20])
  t.is(held[0]?.more, 1)
})

test('a node says of as many pods when it comes from a status', t => {
  const node = { ...fargate, pods: pods(50) }
  const [held] = boundedNodes([node])
  t.is(held && agentlessMessage(held), agentlessMessage(node))
  t.regex(agentlessMessage(node), / web-2 and 47 more$/)
  t.deepEqual(boundedNodes(held ? [held] : []), [held])
  t.deepEqual(boundedNodes([linux]), [linux])
})
