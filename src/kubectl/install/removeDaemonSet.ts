// Removes a DaemonSet and waits for its pods. In: its name and namespace. Out: nothing of it runs.
// Refuses to wait for longer than the caller does.
import type { Kube } from '../../kube/request.ts'
import { labels } from '../../model/wellKnown.ts'
import { request } from '../client/session.ts'
import { remove } from './objects.ts'
import { waitUntil } from './waitUntil.ts'

type Pod = { readonly metadata?: { readonly deletionTimestamp?: string } }
type Pods = { readonly items: readonly Pod[] | null }

const overdueMs = 60_000 // after the time by which a pod was to have ended

/**
 * `seconds`: how long to wait for its pods. One that is gone already is no error. A pod that is long
 * overdue is not waited for: its node does not answer.
 */
export async function removeDaemonSet(
  kube: Kube,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  { seconds, nowMs }: { readonly seconds: number; readonly nowMs: () => number },
): Promise<void> {
  await remove(kube, { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name, namespace } })
  const isOver = ({ metadata: { deletionTimestamp } = {} }: Pod) =>
    deletionTimestamp !== undefined && Date.parse(deletionTimestamp) + overdueMs < nowMs()
  const isEnded = async () => {
    const { items } = await request<Pods>(kube, {
      path: `/api/v1/namespaces/${namespace}/pods`,
      query: { labelSelector: `${labels.name}=${name}` },
      what: 'list pods',
    })
    return (items ?? []).every(isOver)
  }
  await waitUntil(`no pod of ${name} runs`, seconds, isEnded)
}
