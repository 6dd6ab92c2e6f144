// Where the API server has the resources of each kind of capture.
import type { Api } from '../model/capture.ts'

type Where = { readonly namespace: string; readonly name: string }

/** `group`: of PacketCapture, which may be served beside Calico's own. */
export function listPath(api: Api, group: string): string {
  return `${root(api, group)}/${plural(api)}`
}

export function objectPath(api: Api, group: string, { namespace, name }: Where): string {
  const place = namespace === '' ? '' : `/namespaces/${namespace}`
  return `${root(api, group)}${place}/${plural(api)}/${name}`
}

/** As objects of the kind say it. */
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
