// Removes a DaemonSet and waits for its pods. In: its name and namespace. Out: nothing of it runs.
// Refuses to wait for longer than the caller does.
import type { Kube } from '../../kube/request.ts'
import { labels } from '../../model/wellKnown.ts'
import { list, type Manifest, remove } from './objects.ts'
import { waitUntil } from './waitUntil.ts'

export type Wait = { readonly seconds: number; readonly nowMs: () => number }

const overdueMs = 60_000 // after the time by which a pod was to have ended

/**
 * `seconds`: how long to wait for its pods. One that is gone already is no error. A pod that is long
 * overdue is not waited for: its node does not answer.
 */
export async function removeDaemonSet(
  kube: Kube,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  { seconds, nowMs }: Wait,
): Promise<void> {
  await remove(kube, { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name, namespace } })
  const isOver = ({ metadata: { deletionTimestamp } }: Manifest) =>
    deletionTimestamp !== undefined && Date.parse(deletionTimestamp) + overdueMs < nowMs()
  const path = `/api/v1/namespaces/${namespace}/pods`
  const isEnded = async () => (await list(kube, path, `${labels.name}=${name}`)).every(isOver)
  await waitUntil(`no pod of ${name} runs`, seconds, isEnded)
}
