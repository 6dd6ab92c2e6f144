// A ListWatch against a real API server that is killed, forgets, comes from a backup, goes silent,
// refuses or is late: the copy is right afterwards, nothing is lost or doubled, and the server is
// not asked more often than is good for it.
import { setTimeout as after } from 'node:timers/promises'
import test from 'ava'
import { startApiServer } from '../../../support/kube/apiServer.ts'
import {
  apply,
  configMap,
  everything,
  truth,
  unstarted,
  untilTrue,
  useApiServer,
  watching,
} from '../../../support/kube/informerFixture.ts'
import { startPassage } from '../../../support/kube/proxy.ts'
import { until } from '../../../support/until.ts'

const api = useApiServer()
const tooOld = /too old resource version|has been compacted/

test.serial('the copy follows what is made, changed and deleted', async t => {
  const scene = await watching(t, api())
  await apply(api(), configMap('a'), configMap('b'))
  await apply(api(), configMap('a', 'y'))
  await api().kubectl('delete', 'configmap', 'b')
  await untilTrue(scene, api())
  t.is(scene.proxy.count(/configmaps\?(?!watch)/), 1)
  t.is(scene.proxy.count(/watch=true/), 1)
})

test.serial(
  'the copy is right after the server was killed while much changed, and 410 Gone is answered with one list',
  async t => {
    const scene = await watching(t, api())
    await apply(api(), configMap('before-1'), configMap('before-2'))
    await untilTrue(scene, api())
    const before = new Set(scene.watch.objects.keys())
    scene.proxy.cut('close')
    scene.proxy.next = () => ({ status: 503 })
    await apply(api(), configMap('after'), configMap('before-1', 'changed'))
    await api().kubectl('delete', 'configmap', 'before-2')
    await api().interrupt('SIGKILL') // what it remembers of changes goes with it
    await until(
      'failures',
      () => scene.states.filter(state => state.startsWith('failed')).length > 2,
    )
    t.deepEqual(new Set(scene.watch.objects.keys()), before)
    t.true(scene.watch.hasSynced)
    scene.proxy.next = () => undefined
    await api().resume()
    await untilTrue(scene, api())
    t.regex(scene.states.join('\n'), tooOld)
    t.is(scene.states.filter(state => state.startsWith('listed')).length, 2)
  },
)

test.serial(
  'a version that the server has forgotten is answered with a list, and ever later if that goes on',
  async t => {
    const scene = await unstarted(t, api(), { random: () => 0.5 })
    scene.proxy.next = ({ url, isWatch }) => {
      if (isWatch) url.searchParams.set('resourceVersion', '1') // before this server's time
      return { url }
    }
    scene.watch.start()
    await until('five refusals', () => scene.states.filter(state => tooOld.test(state)).length >= 5)
    scene.proxy.next = () => undefined
    await untilTrue(scene, api())
    t.deepEqual(scene.waits.slice(0, 5), [250, 500, 1_000, 2_000, 4_000])
  },
)

test.serial(
  'a server that was restored from a backup is believed, although its versions are lower',
  async t => {
    await using restored = await startApiServer()
    await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        api().kubectl('create', 'configmap', `high-${index}`),
      ),
    )
    await apply(restored, configMap('restored'))
    const scene = await watching(t, api(), { silentMsMax: 3_000 })
    const high = Math.max(
      ...[...scene.watch.objects.values()].map(({ metadata }) => Number(metadata.resourceVersion)),
    )
    const low = Math.max(...(await truth(restored)).map(line => Number(line.split(' ')[2])))
    t.true(low < high, `${low} ${high}`)
    scene.proxy.target = restored
    scene.proxy.cut('close')
    await untilTrue(scene, restored)
    t.regex(scene.states.join('\n'), /nothing was heard/) // a watch from the future is silent, it does not fail
    t.regex(scene.states.join('\n'), /504, Timeout: Too large resource version/)
  },
)

test.serial(
  'a list that must be consistent is asked for without a version, others come from the cache',
  async t => {
    const consistent = await watching(t, api(), { isConsistent: true })
    const cached = await watching(t, api())
    t.false(consistent.proxy.asked[0]?.url.searchParams.has('resourceVersion'))
    t.is(cached.proxy.asked[0]?.url.searchParams.get('resourceVersion'), '0')
  },
)

test.serial(
  'a watch that goes silent is given up, and what it kept to itself is known afterwards',
  async t => {
    const scene = await watching(t, api(), { silentMsMax: 1_500 })
    scene.proxy.stall()
    await apply(api(), configMap('unheard'))
    await untilTrue(scene, api())
    t.regex(scene.states.join('\n'), /nothing was heard for 1500 ms/)
  },
)

test.serial(
  'connections are cut in the middle of everything, over TLS too: nothing is lost or doubled',
  async t => {
    const scene = await unstarted(t, api(), { random: () => 0.1 })
    const passage = await startPassage(t, api())
    const direct = await unstarted(t, api(), { kube: passage.kube, random: () => 0.1 })
    const pod = await unstarted(t, api(), { kube: passage.pod, random: () => 0.1 })
    for (const { watch } of [scene, direct, pod]) watch.start()
    const wrote = (async () => {
      for (let index = 0; index < 20; index++)
        await apply(api(), configMap(`cut-${index % 7}`, String(index)))
    })()
    for (let index = 0; index < 30; index++) {
      scene.proxy.cut(index % 2 ? 'close' : 'reset')
      passage.reset()
      await after(100)
    }
    await wrote
    for (const each of [scene, direct, pod]) {
      await untilTrue(each, api())
      t.true(each.states.filter(state => state.startsWith('failed')).length > 5)
    }
  },
)

test.serial('a watch that ends at once again and again is not asked for in a loop', async t => {
  const scene = await unstarted(t, api(), { random: () => 1 })
  scene.proxy.next = ({ isWatch }) => (isWatch ? { status: 200, body: '' } : undefined)
  scene.watch.start()
  await until('the third watch', () => scene.proxy.count(/watch=true/) >= 3)
  scene.proxy.next = () => undefined
  await untilTrue(scene, api())
  t.deepEqual(scene.waits.slice(0, 2), [500, 1_000])
})

test.serial('what is no list is not believed, nor what is no event', async t => {
  const scene = await unstarted(t, api(), { random: () => 0.1 })
  scene.proxy.next = ({ isWatch }) => (isWatch ? undefined : { status: 200, body: '{}' })
  scene.watch.start()
  await until('a refusal', () =>
    scene.states.some(state => /expected one with a resourceVersion/.test(state)),
  )
  t.false(scene.watch.hasSynced)
  scene.proxy.next = ({ isWatch }) => (isWatch ? { status: 200, body: '<html>\n' } : undefined)
  await until('another', () => scene.states.some(state => /JSON/.test(state)))
  scene.proxy.next = () => undefined
  await untilTrue(scene, api())
  t.is(scene.proxy.count(new RegExp(`^${everything}\\?`)), scene.proxy.asked.length)
})
