// Removes a DaemonSet and waits for its pods. In: its name and namespace. Out: nothing of it runs.
// Refuses to wait for longer than the caller does.
import type { Kube } from '../../kube/request.ts'
import { labels } from '../../model/wellKnown.ts'
import { request } from '../client/session.ts'
import { remove } from './objects.ts'
import { waitUntil } from './waitUntil.ts'

type Pods = { readonly items: readonly unknown[] | null }

/** `seconds`: how long to wait for its pods. One that is gone already is no error. */
export async function removeDaemonSet(
  kube: Kube,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  seconds: number,
): Promise<void> {
  await remove(kube, { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name, namespace } })
  const isEnded = async () => {
    const { items } = await request<Pods>(kube, {
      path: `/api/v1/namespaces/${namespace}/pods`,
      query: { labelSelector: `${labels.name}=${name}` },
      what: 'list pods',
    })
    return (items ?? []).length === 0
  }
  await waitUntil(`no pod of ${name} runs`, seconds, isEnded)
}
