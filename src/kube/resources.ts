// Maps each kind of capture to its group, resource and paths at the API server. Pure.
import { type Api, apis } from '../model/captureRef.ts'

type ResourcePlace = { readonly namespace: string; readonly name: string }

export const reportPath = '/apis/selcap.dev/v1alpha1/nodecapturereports'

/** The media type by which the API server leaves out all of an object but its metadata. */
export function partialMetadata(
  kind: 'PartialObjectMetadata' | 'PartialObjectMetadataList',
): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1`
}

/** `group` is PacketCapture's: selcap.dev where Calico serves its own resource. */
export function listPath(api: Api, group: string): string {
  return `${root(api, group)}/${plural(api)}`
}

export function objectPath(api: Api, group: string, { namespace, name }: ResourcePlace): string {
  const place = namespace === '' ? '' : `/namespaces/${namespace}`
  return `${root(api, group)}${place}/${plural(api)}/${name}`
}

/** The group of the kind, and the name of its resource. */
export function resourceOf(
  api: Api,
  group: string,
): { readonly group: string; readonly resource: string } {
  return { group: root(api, group).split('/')[2] ?? '', resource: plural(api) }
}

/**
 * The kind in the gateway's paths: packetcaptures, captures.retina.sh,
 * packetcaptureconfigs.networking.packet.io.
 */
export function pathSegmentOf(api: Api): string {
  return api === 'PacketCapture' ? plural(api) : `${plural(api)}.${resourceOf(api, '').group}`
}

/** undefined: no kind has this path segment. */
export function apiFromPathSegment(word: string): Api | undefined {
  return apis.find(api => pathSegmentOf(api) === word)
}

/** The apiVersion of the kind's objects. */
export function apiVersionOf(api: Api, group: string): string {
  return root(api, group).replace('/apis/', '')
}

function root(api: Api, group: string): string {
  switch (api) {
    case 'PacketCapture':
      return `/apis/${group}/v3`
    case 'Capture':
      return '/apis/retina.sh/v1alpha1'
    case 'PacketCaptureConfig':
      return '/apis/networking.packet.io/v1'
  }
}

function plural(api: Api): string {
  return `${api.toLowerCase()}s`
}
