import test from 'ava'
import { DeletedObjects } from '../../../src/kube/deletedObjects.ts'
import type { KubeObject } from '../../../src/kube/informer.ts'

const one = (uid: string, more: object = {}): KubeObject => ({
  metadata: { name: uid, uid, resourceVersion: '1', ...more },
})
const watched = (...objects: readonly KubeObject[]) =>
  new Map(objects.map(object => [object.metadata.uid, object]))
const shown = (deleted: DeletedObjects<KubeObject>) =>
  deleted.objects.map(({ metadata }) => metadata)

test('DeletedObjects remembers what a watch does not show any more, with the time, and for a while', t => {
  const deleted = new DeletedObjects<KubeObject>(1_000)
  const live = watched(one('a'), one('b'))
  deleted.observe(live, 5_000)
  t.deepEqual(shown(deleted), [])
  live.delete('a') // informers change their map
  deleted.observe(live, 6_000)
  t.like(shown(deleted), [{ name: 'a', deletionTimestamp: '1970-01-01T00:00:06.000Z' }])
  t.is(deleted.objects[0], deleted.objects[0])
  deleted.observe(live, 6_999)
  t.is(shown(deleted).length, 1)
  deleted.observe(live, 7_000)
  t.deepEqual(shown(deleted), [])
})

test('DeletedObjects keeps the time of an object that was being deleted before, and forgets on demand', t => {
  const deleted = new DeletedObjects<KubeObject>(1_000)
  const deletionTimestamp = '1970-01-01T00:00:01Z'
  deleted.observe(watched(one('a', { deletionTimestamp })), 5_000)
  deleted.observe(watched(), 6_000)
  t.like(shown(deleted), [{ deletionTimestamp }])
  deleted.forget('a')
  t.deepEqual(shown(deleted), [])
})
