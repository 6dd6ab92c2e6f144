// Which matching pods are on nodes without an agent, and which requests are sent to find them.
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import test from 'ava'
import pino from 'pino'
import { AgentlessPods } from '../../../src/controller/agentlessPods.ts'
import type { KubeRequest } from '../../../src/kube/request.ts'
import type { Intent } from '../../../src/model/capture.ts'
import type { PacketCaptureSpec } from '../../../src/model/packetCaptureSpec.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import type { AgentlessNode } from '../../../src/model/status.ts'
import { noonMs, read } from '../../support/model/observations.ts'

const signal = new AbortController().signal
const node = (name: string, labels: Readonly<Record<string, string>> = {}) => ({
  metadata: { name, uid: name, resourceVersion: '1', labels },
})
const pod = (name: string, nodeName: string, more: object = {}) => ({
  metadata: { name, namespace: 'default', uid: name, resourceVersion: '1', labels: { app: 'web' } },
  spec: { nodeName, serviceAccountName: 'robot', ...more },
  status: { phase: 'Running', podIP: '10.0.0.1' },
})

function answer(statusCode: number, body: object): IncomingMessage {
  const stream = Readable.from([Buffer.from(JSON.stringify(body))])
  return Object.assign(stream, { statusCode, headers: {} }) as unknown as IncomingMessage
}

function world(objects: (request: KubeRequest) => readonly object[] | undefined) {
  const asked: string[] = []
  const clock = { nowMs: noonMs }
  const pods = new AgentlessPods({
    clock: { now: () => clock.nowMs, sleepUntil: async () => {} },
    log: pino({ enabled: false }),
    settings: () => defaultSettings,
    kube: async request => {
      const { fieldSelector = '' } = request.query ?? {}
      asked.push(`${request.path} ${fieldSelector}`.trim())
      const items = objects(request)
      return items
        ? answer(200, { metadata: { resourceVersion: '1' }, items })
        : answer(403, { message: 'forbidden' })
    },
  })
  const matching = (
    spec: PacketCaptureSpec = {},
    reported: readonly string[] = [],
    previous: readonly AgentlessNode[] = [],
    isOver = false,
  ) => {
    const [intent, told] = [read(spec), { reported: new Set(reported), previous, isOver }]
    return pods.matching({ read: intent, readIn: () => intent, ...told }, signal)
  }
  const matchingIn = (names: (labels: ReadonlyMap<string, object>) => readonly string[]) => {
    const intent = read({}) as Intent
    const scoped = (labels: ReadonlyMap<string, object>): Intent => ({
      ...intent,
      scope: { kind: 'Namespaces', names: names(labels) },
    })
    const told = { reported: new Set<string>(), previous: toldOf('far'), isOver: false }
    return pods.matching({ read: scoped(new Map()), readIn: scoped, ...told }, signal)
  }
  return { asked, clock, pods, matching, matchingIn }
}

const nodes = [
  node('has'),
  node('far', { 'eks.amazonaws.com/compute-type': 'fargate' }),
  node('aci', { type: 'virtual-kubelet' }),
]
const on = (request: KubeRequest) => request.query?.fieldSelector?.split('=')[1] ?? ''

test('nothing is asked while every node reports, nor before a node had its time', async t => {
  const { pods, matching, asked, clock } = world(() => [])
  pods.observe(nodes, new Set(['has', 'far', 'aci']), noonMs)
  t.deepEqual(await matching(), { nodes: [], wakeAtMs: Number.POSITIVE_INFINITY })
  pods.observe(nodes, new Set(['has']), noonMs)
  t.deepEqual(await matching(), { nodes: [], wakeAtMs: noonMs + 15_000 })
  t.deepEqual(asked, [])
  clock.nowMs += 15_000
  pods.observe(nodes, new Set(['has']), clock.nowMs)
  t.is((await matching()).wakeAtMs, clock.nowMs + 30_000)
  t.true(asked.length > 0)
})

function late(objects: (request: KubeRequest) => readonly object[] | undefined) {
  const made = world(objects)
  made.pods.observe(nodes, new Set(['has']), noonMs)
  made.clock.nowMs += 15_000
  made.pods.observe(nodes, new Set(['has']), made.clock.nowMs)
  return made
}

test('matching pods are found by node; host-networked, ended and other pods are not', async t => {
  const { matching, asked } = late(request => [
    pod(`web-${on(request)}`, on(request)),
    pod('host', on(request), { hostNetwork: true }),
    { ...pod('over', on(request)), status: { phase: 'Succeeded' } },
    { ...pod('db', on(request)), metadata: { ...pod('db', '').metadata, labels: { app: 'db' } } },
  ])
  const web = { selector: "app == 'web'" }
  t.deepEqual((await matching(web)).nodes, [
    { node: 'aci', kind: 'Virtual', pods: ['web-aci'] },
    { node: 'far', kind: 'Fargate', pods: ['web-far'] },
  ])
  t.deepEqual(
    (await matching(web, ['aci'])).nodes.map(each => each.node),
    ['far'],
  )
  const path = '/api/v1/namespaces/default/pods'
  t.deepEqual(asked, [`${path} spec.nodeName=aci`, `${path} spec.nodeName=far`]) // once for both
})

test('pods are listed again after a while', async t => {
  const { matching, asked, clock } = late(() => [])
  await matching()
  clock.nowMs += 29_999
  await matching()
  t.is(asked.length, 2)
  clock.nowMs += 1
  await matching()
  t.is(asked.length, 4)
})

test('labels of the namespace and of service accounts count where the selector reads them', async t => {
  const { matching, asked } = late(({ path }) => {
    if (path.endsWith('/pods')) return [pod('web', 'far')]
    const name = path.endsWith('/namespaces') ? 'default' : 'robot'
    return [{ metadata: { name, labels: { tier: 'a' } } }]
  })
  const selector = "pcns.tier == 'a' && pcsa.tier == 'a'"
  t.deepEqual((await matching({ selector })).nodes, [
    { node: 'far', kind: 'Fargate', pods: ['web'] },
  ])
  t.deepEqual(asked.slice(2), [
    '/api/v1/namespaces metadata.name=default',
    '/api/v1/namespaces/default/serviceaccounts',
  ])
})

test('a capture that is over asks for nothing, and a refusal finds nothing', async t => {
  const { matching, asked } = late(() => undefined)
  t.deepEqual((await matching({ endTime: '2020-01-01T00:00:00Z' })).nodes, [])
  t.deepEqual(asked, [])
  t.deepEqual((await matching()).nodes, [])
})

test('what was told of a capture stays once it is over, and nobody is asked any more', async t => {
  const { matching, asked } = late(request => [pod(`web-${on(request)}`, on(request))])
  const told = ['aci', 'far'].map(name => ({ node: name, kind: 'Linux', pods: ['x'] }) as const)
  const over = { endTime: new Date(noonMs - 1_000).toISOString() }
  const kept = { nodes: told.slice(1), wakeAtMs: Number.POSITIVE_INFINITY }
  t.deepEqual(await matching(over, ['aci'], told), kept)
  t.deepEqual(await matching({}, ['aci'], told, true), kept) // by its status
  t.deepEqual(asked, [])
  t.deepEqual(
    (await matching({}, [], told)).nodes.map(({ pods }) => pods),
    [['web-aci'], ['web-far']],
  )
})

const toldOf = (...names: readonly string[]) =>
  names.map(name => ({ node: name, kind: 'Linux', pods: ['x'] }) as const)

test('a new process keeps what was told until it judges the node itself', async t => {
  const { pods, matching, asked, clock } = world(() => [])
  pods.observe(nodes, new Set(['has']), noonMs)
  t.deepEqual(await matching({}, [], toldOf('aci', 'far', 'gone', 'has')), {
    nodes: toldOf('aci', 'far'), // the others do not exist, or report
    wakeAtMs: noonMs + 15_000,
  })
  t.deepEqual((await matching({}, ['aci'], toldOf('aci', 'far'))).nodes, toldOf('far'))
  t.deepEqual(asked, [])
  clock.nowMs += 15_000
  pods.observe(nodes, new Set(['has']), clock.nowMs)
  t.deepEqual((await matching({}, [], toldOf('aci', 'far'))).nodes, []) // no pods are there now
})

test('a node that has its time to start keeps what was told while another one is judged', async t => {
  const { pods, matching, clock } = world(request => [pod(`web-${on(request)}`, on(request))])
  pods.observe(nodes, new Set(['has', 'aci']), noonMs)
  clock.nowMs += 15_000
  pods.observe(nodes, new Set(['has']), clock.nowMs)
  t.deepEqual((await matching({}, [], toldOf('aci'))).nodes, [
    ...toldOf('aci'),
    { node: 'far', kind: 'Fargate', pods: ['web-far'] },
  ])
})

test('a failed list keeps what was told of nodes that were never listed', async t => {
  const answers = { fail: true }
  const { matching, clock } = late(request =>
    answers.fail ? undefined : [pod(`web-${on(request)}`, on(request))],
  )
  const told = toldOf('aci', 'far', 'gone')
  t.deepEqual((await matching({}, ['aci'], told)).nodes, toldOf('far'))
  t.deepEqual((await matching({}, [], told)).nodes, toldOf('aci', 'far')) // not asked again yet
  answers.fail = false
  clock.nowMs += 30_000
  const found = (await matching({}, [], told)).nodes
  t.deepEqual(
    found.map(each => each.pods),
    [['web-aci'], ['web-far']],
  )
  answers.fail = true
  clock.nowMs += 30_000
  t.deepEqual((await matching({}, [], [])).nodes, found) // of the last list
})

const tiers = ({ path }: KubeRequest) =>
  path === '/api/v1/namespaces'
    ? [{ metadata: { name: 'default', labels: { tier: 'a' } } }, { metadata: { name: 'other' } }]
    : undefined
const byTier = (labels: ReadonlyMap<string, object>) =>
  [...labels].filter(([, own]) => 'tier' in own).map(([name]) => name)

test('namespaces that are selected by their labels are listed once for a while', async t => {
  const { matchingIn, asked } = late(
    request => tiers(request) ?? [pod(`web-${on(request)}`, on(request))],
  )
  const { nodes: found } = await matchingIn(byTier)
  await matchingIn(byTier)
  t.deepEqual(
    found.map(({ pods }) => pods),
    [['web-aci'], ['web-far']],
  )
  const path = '/api/v1/namespaces/default/pods'
  const each = [`${path} spec.nodeName=aci`, `${path} spec.nodeName=far`]
  t.deepEqual(asked, ['/api/v1/namespaces', ...each])
})

test('of many namespaces all pods are listed at once', async t => {
  const { matchingIn, asked } = late(
    request => tiers(request) ?? [pod(`web-${on(request)}`, on(request))],
  )
  const many = (labels: ReadonlyMap<string, object>) =>
    labels.size === 0 ? [] : ['default', ...Array.from({ length: 8 }, (_, each) => `n${each}`)]
  t.is((await matchingIn(many)).nodes.length, 2)
  t.deepEqual(asked.slice(1), ['/api/v1/pods spec.nodeName=aci', '/api/v1/pods spec.nodeName=far'])
})

test('what was told stays while the namespaces cannot be listed', async t => {
  const { matchingIn } = late(() => undefined)
  t.deepEqual((await matchingIn(byTier)).nodes, toldOf('far'))
})

test('a new process keeps what was told of a node until its agent reports again', async t => {
  const { pods, matching } = world(() => [])
  const all = new Set(['has', 'far', 'aci'])
  pods.observe(nodes, all, noonMs, new Set(['far', 'aci', 'gone']))
  const told = toldOf('aci', 'far', 'gone')
  t.deepEqual((await matching({}, ['aci'], told)).nodes, toldOf('far'))
  pods.observe(nodes, all, noonMs, new Set())
  t.deepEqual((await matching({}, [], told)).nodes, [])
})
