// A node whose captures wait to be let through: turn after turn on a node in memory.
import test from 'ava'
import { annotationsWith } from '../../src/api/retina/passAnnotation.ts'
import { nodeStatuses } from '../../src/core/status/nodeStatus.ts'
import { defaultSettings } from '../../src/model/settings.ts'
import type { ObjectMeta, OtherCapture } from '../../src/model/world.ts'
import { endpoint, node, noonMs, world } from '../support/worlds/documents.ts'
import { emptyNode } from '../support/worlds/node.ts'
import { decide } from '../support/worlds/reader.ts'
import { turn } from '../support/worlds/turns.ts'

const pods = [endpoint('web-0', { app: 'web' }, { namespace: 'shop' })]
const key = 'shop.retina.sh/a'

function capture(
  nodes: readonly string[] | undefined,
  more: Partial<ObjectMeta> = {},
  sinceMs = noonMs,
): OtherCapture {
  const pass = nodes && {
    annotations: annotationsWith({}, { uid: 'u', generation: 1, sinceMs, nodes }),
  }
  const names = {
    name: 'a',
    namespace: 'shop',
    uid: 'u',
    generation: 1,
    creationTimestamp: new Date(noonMs).toISOString(),
  }
  const captureConfiguration = {
    captureTarget: { podSelector: {} },
    captureOption: { duration: '10s' },
    includeMetadata: false,
  }
  const spec = { captureConfiguration, outputConfiguration: { hostPath: 'x' } }
  return {
    apiVersion: 'retina.sh/v1alpha1',
    kind: 'Capture',
    metadata: { ...names, ...pass, ...more },
    spec,
  }
}

const at = (document: OtherCapture, captureJobNumLimit = 1) =>
  world([], pods, { captures: [document], settings: { ...defaultSettings, captureJobNumLimit } })
const actionsAt = (document: OtherCapture, limit?: number) =>
  turn(at(document, limit), emptyNode, noonMs).decision.actions.map(({ kind }) => kind)

test('without a limit a capture begins at once, whatever its annotations say', t => {
  t.deepEqual(actionsAt(capture(undefined), 0), ['open'])
  t.deepEqual(actionsAt(capture([]), 0), ['open'])
})

test('with a limit it begins on the nodes that were let through, and on no others', t => {
  t.deepEqual(actionsAt(capture(undefined)), [])
  t.deepEqual(actionsAt(capture([])), [])
  t.deepEqual(actionsAt(capture(['node', 'node-00', ''])), [])
  t.deepEqual(actionsAt(capture([node])), ['open'])
  t.deepEqual(actionsAt(capture(['other', node]), 2), ['open'])
  t.deepEqual(actionsAt(capture(['other', node])), []) // more than there may be, whoever wrote that
  t.deepEqual(actionsAt(capture([node], { uid: 'another' })), []) // its pass is that of a namesake
})

test('one that waits is told of, in the report too, and no time runs meanwhile', t => {
  const { actual, decision } = turn(at(capture(undefined)), emptyNode, noonMs)
  const element = nodeStatuses(decision.captures, actual, { node, directory: '/d' }).get(key)
  t.like(element, {
    state: 'Scheduled',
    isListed: true,
    message: 'Waits to be let through: a capture may take no more nodes than captureJobNumLimit 1',
  })
  t.deepEqual(
    element?.endpoints.map(({ pod, state, startedAt }) => [pod, state, startedAt]),
    [['web-0', 'Scheduled', undefined]],
  )
  t.is(decision.wakeAtMs, Number.POSITIVE_INFINITY)
  const anHourLater = noonMs + 3_600_000
  t.deepEqual(
    decide(at(capture(undefined)), actual, anHourLater).captures.get(key)?.phase.kind,
    'Held',
  )
  const through = turn(at(capture([node], {}, anHourLater)), actual, anHourLater)
  t.deepEqual(through.decision.captures.get(key)?.phase, {
    kind: 'Open',
    closesAtMs: anHourLater + 10_000,
  })
})

test('one whose pass is taken back stops, keeps its files, and is packed when it is deleted', t => {
  const begun = turn(at(capture([node])), emptyNode, noonMs).actual
  const { actual, decision } = turn(at(capture([], { generation: 2 })), begun, noonMs + 1_000)
  t.deepEqual(
    decision.actions.map(({ kind }) => kind),
    ['close'],
  )
  t.deepEqual([...actual.captures.keys()], [key])
  t.deepEqual(decision.finish, [])
  const deletionTimestamp = new Date(noonMs + 2_000).toISOString()
  const deleted = decide(
    at(capture([], { generation: 3, deletionTimestamp })),
    actual,
    noonMs + 3_000,
  )
  t.deepEqual(
    deleted.finish.map(job => job.key),
    [key],
  )
})

test('one that is deleted while it waits is over, and nothing is made of it', t => {
  const deletionTimestamp = new Date(noonMs).toISOString()
  const { decision } = turn(at(capture(undefined, { deletionTimestamp })), emptyNode, noonMs + 1)
  t.is(decision.captures.get(key)?.phase.kind, 'Finished')
  t.deepEqual([decision.actions, decision.finish], [[], []])
})
