// All captures of a cluster, whatever their API. In: the cluster. Out: which there are; their
// removal, and the wait until agents have removed their files.
import type { Kube } from '../../kube/request.ts'
import { reportPath } from '../../kube/resources.ts'
import { CommandFailure } from '../../model/errors.ts'
import { labels } from '../../model/wellKnown.ts'
import { request } from '../client/session.ts'
import { read, removePath } from './objects.ts'
import { waitUntil } from './waitUntil.ts'

export type FoundCapture = {
  readonly path: string
  readonly namespace: string
}
type List = {
  readonly items:
    | readonly {
        readonly metadata: { readonly name: string; readonly namespace?: string }
      }[]
    | null
}
type Reports = {
  readonly items: readonly { readonly report?: { readonly captures?: readonly object[] } }[] | null
}

type Definitions = {
  readonly items:
    | readonly {
        readonly spec: {
          readonly group: string
          readonly names: { readonly plural: string }
          readonly versions: readonly { readonly name: string }[]
        }
      }[]
    | null
}

/** Of the resources that selcap brought: Calico's own are not touched. */
export async function findCaptures(kube: Kube): Promise<FoundCapture[]> {
  const { items: definitions } = await request<Definitions>(kube, {
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    query: { labelSelector: `${labels.partOf}=selcap` },
    what: 'list custom resource definitions',
  })
  const found: FoundCapture[] = []
  for (const { spec } of definitions ?? []) {
    const { plural } = spec.names
    const root = `/apis/${spec.group}/${spec.versions[0]?.name}`
    if (`${root}/${plural}` === reportPath) continue
    const { items } = (await read<List>(kube, `${root}/${plural}`)) ?? { items: [] }
    for (const { metadata } of items ?? []) {
      const { name, namespace = '' } = metadata
      const within = namespace === '' ? '' : `namespaces/${namespace}/`
      found.push({ namespace, path: `${root}/${within}${plural}/${name}` })
    }
  }
  return found
}

/** A node that does not report any more is not waited for without end. */
export async function removeCaptures(
  kube: Kube,
  captures: readonly FoundCapture[],
  seconds: number,
  tell: (line: string) => void,
): Promise<void> {
  for (const { path } of captures) await removePath(kube, path, path)
  if (captures.length === 0) return
  tell(`${captures.length} captures deleted`)
  const isDone = async () => {
    const { items } = (await read<Reports>(kube, reportPath)) ?? { items: [] }
    return (items ?? []).every(({ report }) => (report?.captures ?? []).length === 0)
  }
  await waitUntil('agents have removed their files', Math.min(seconds, 30), isDone).catch(error => {
    if (!(error instanceof CommandFailure)) throw error
    process.stderr.write(`${error.message}; the nodes are cleaned next\n`)
  })
}
