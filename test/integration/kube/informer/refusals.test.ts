// A ListWatch whose server refuses, is late or does not know the token any more; and how it ends
// and what it leaves behind.
import { rmSync, writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import {
  apply,
  configMap,
  everything,
  unstarted,
  untilTrue,
  useApiServer,
  watching,
} from '../../../support/kube/informerFixture.ts'
import { startPassage, type Treatment } from '../../../support/kube/proxy.ts'
import { remains, until } from '../../../support/until.ts'

const api = useApiServer()
const rejections: unknown[] = []
process.on('unhandledRejection', reason => rejections.push(reason))

const refusals: readonly Treatment[] = [
  { status: 500 },
  { status: 503, headers: { 'retry-after': '1' } },
  { status: 403 },
  { status: 502, body: '<html>' },
]

for (const treatment of refusals) {
  test.serial(
    `the last copy stays while the server answers ${treatment.status}, and follows afterwards`,
    async t => {
      const scene = await watching(t, api(), { random: () => 0.1 })
      const before = scene.watch.objects.size
      scene.proxy.next = () => treatment
      scene.proxy.cut('reset')
      await apply(api(), configMap(`status-${treatment.status}`))
      await until(
        'refusals',
        () =>
          scene.states.filter(state => state.includes(`answered ${treatment.status}`)).length > 2,
      )
      t.is(scene.watch.objects.size, before)
      scene.proxy.next = () => undefined
      await untilTrue(scene, api())
    },
  )
}

test.serial('Retry-After is honoured when the server answers 429', async t => {
  const scene = await unstarted(t, api(), { random: () => 0 })
  scene.proxy.next = () => ({ status: 429, headers: { 'retry-after': '2' } })
  scene.watch.start()
  await until('two refusals', () => scene.proxy.asked.length >= 2)
  scene.proxy.next = () => undefined
  await untilTrue(scene, api())
  t.is(scene.waits[0], 2_000)
})

test.serial(
  'answers that come late come, and no request is sent twice because of them',
  async t => {
    const scene = await unstarted(t, api())
    scene.proxy.next = () => ({ lateMs: 3_000 })
    scene.watch.start()
    await apply(api(), configMap('late'))
    await untilTrue(scene, api())
    await until('the watch', () => scene.states.some(state => state.startsWith('watching')))
    t.is(scene.proxy.asked.length, 2)
    t.false(scene.states.some(state => state.startsWith('failed')))
  },
)

/** A token bound to a pod that this makes. */
async function boundToken(pod: string): Promise<string> {
  const containers = [{ name: 'main', image: 'app' }]
  await apply(api(), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: pod, namespace: 'default' },
    spec: { serviceAccountName: 'reader', containers },
  })
  const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', pod, '--duration', '10m']
  return (await api().kubectl('create', 'token', 'reader', ...bound)).trim()
}

test.serial(
  'a token that is not valid any more is answered with another one once its file holds it',
  async t => {
    await api().kubectl('create', 'serviceaccount', 'reader')
    await api().kubectl(
      'create',
      'clusterrole',
      'reader',
      '--verb=list,watch',
      '--resource=configmaps',
    )
    await api().kubectl(
      'create',
      'clusterrolebinding',
      'reader',
      '--clusterrole=reader',
      '--serviceaccount=default:reader',
    )
    const [old, young] = [await boundToken('old'), await boundToken('young')]
    const passage = await startPassage(t, api())
    writeFileSync(passage.tokenFile, old)
    const scene = await unstarted(t, api(), { kube: passage.pod, random: () => 0.1 })
    scene.watch.start()
    await untilTrue(scene, api())
    await api().kubectl('delete', 'pod', 'old', '--now')
    // A server believes a token for ten seconds without asking again.
    const isRefused = () => {
      passage.reset()
      return scene.states.some(state => state.includes('answered 401'))
    }
    await until('a refusal', isRefused, { everyMs: 1_000 })
    rmSync(passage.tokenFile)
    await until('a file that is missing', () =>
      scene.states.some(state => state.includes('ENOENT')),
    )
    writeFileSync(passage.tokenFile, young)
    await apply(api(), configMap('after-rotation'))
    await untilTrue(scene, api())
    t.true(scene.watch.hasSynced)
  },
)

type Moment = readonly [treatment: Treatment | undefined, state: string | undefined]
const moments: Readonly<Record<string, Moment>> = {
  'a request is on its way': [{ lateMs: 60_000 }, undefined],
  'it waits after a refusal': [{ status: 429, headers: { 'retry-after': '60' } }, 'failed'],
  'it watches': [undefined, 'watching'],
}

for (const [moment, [treatment, awaited]] of Object.entries(moments)) {
  test.serial(
    `it ends, with all its connections, when it is disposed of while ${moment}`,
    async t => {
      const scene = await unstarted(t, api())
      scene.proxy.next = () => treatment
      scene.watch.start()
      await until('a request', () => scene.proxy.asked.length > 0)
      await until(
        'its state',
        () => awaited === undefined || scene.states.some(state => state.startsWith(awaited)),
      )
      await Promise.all([scene.watch[Symbol.asyncDispose](), scene.watch[Symbol.asyncDispose]()])
      const { length } = scene.proxy.asked
      await until('the connections to end', () => scene.proxy.connections === 0)
      scene.proxy.cut('reset')
      await remains('no request', 200, () => scene.proxy.asked.length === length)
      t.deepEqual(rejections, [])
    },
  )
}

test.serial(
  'it ends when it is disposed of before it was started, and at once afterwards',
  async t => {
    const { watch, proxy } = await unstarted(t, api())
    await watch[Symbol.asyncDispose]()
    watch.start()
    await remains('no request', 100, () => proxy.asked.length === 0)
    const other = await unstarted(t, api())
    other.watch.start()
    await other.watch[Symbol.asyncDispose]() // between the request and its socket
    await remains(
      'no request and no object',
      200,
      () => proxy.asked.length === 0 && other.watch.objects.size === 0,
    )
    t.deepEqual(rejections, [])
  },
)

test.serial('neither memory nor connections grow over 200 reconnects', async t => {
  const scene = await watching(t, api(), { random: () => 0 })
  const reconnect = async (times: number) => {
    for (let index = 0; index < times; index++) {
      const count = scene.proxy.count(/watch=true/)
      scene.proxy.cut(index % 2 ? 'close' : 'reset')
      await until(
        'the next watch',
        () => scene.proxy.count(/watch=true/) > count && scene.proxy.connections > 0,
      )
    }
  }
  await reconnect(50)
  const before = heapBytes()
  await reconnect(200)
  t.true(heapBytes() - before < 2 * 1024 * 1024, `${before} → ${heapBytes()}`)
  t.true(scene.proxy.connections <= 2)
  t.is(scene.proxy.count(new RegExp(`^${everything}\\?resourceVersion=`)), 1)
  await apply(api(), configMap('after-all'))
  await untilTrue(scene, api())
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heapBytes(): number {
  collect()
  return process.memoryUsage().heapUsed
}
