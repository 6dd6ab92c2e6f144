// Paths of the gateway's HTTPS interface. Pure. In: a capture of any API. Out: the path of its
// files, or of its live stream.
import { pathSegmentOf } from '../../kube/resources.ts'
import type { Api } from '../../model/captureRef.ts'

export type RemoteCapture = {
  readonly namespace: string
  readonly name: string
  readonly api?: Api | undefined
}

/** A cluster-scoped kind has "-" in place of a namespace. */
export function gatewayPath(
  { namespace, name, api = 'PacketCapture' }: RemoteCapture,
  resource: 'files' | 'stream',
): string {
  const within = api === 'PacketCaptureConfig' ? '-' : encodeURIComponent(namespace)
  return `/v1/namespaces/${within}/${pathSegmentOf(api)}/${encodeURIComponent(name)}/${resource}`
}

export function gatewayFilePath(
  capture: RemoteCapture,
  { node, file }: { readonly node: string; readonly file: string },
): string {
  return `${gatewayPath(capture, 'files')}/${encodeURIComponent(node)}/${encodeURIComponent(file)}`
}
