// What the administrator allows as an endpoint: https, hosts of a list, and no address that leads back into the node.
// Names are checked when a target is opened; addresses when a connection is made (guard.ts), so that a name that answers
// differently the second time gains nothing.
import { permanentError } from './store.ts'

export type EndpointPolicy = {
  readonly isHttpAllowed: boolean
  /** `store.example.org`, `*.example.org` for all below it, or an address. None: every host. */
  readonly hostsAllowed: readonly string[]
  /** Ranges that may be connected to although they are refused otherwise. */
  readonly addressesAllowed: readonly string[]
}

export const strictPolicy: EndpointPolicy = Object.freeze({ isHttpAllowed: false, hostsAllowed: [], addressesAllowed: [] })

/** `field` is what the URL was read from. Throws a StoreError that shows the URL without user, password and query. */
export function readEndpoint(field: string, text: string, policy: EndpointPolicy): URL {
  const url = URL.parse(text)
  if (!url?.host) throw permanentError(`Cannot use ${field}: expected a URL such as https://store.example.org`) // what it is may be a secret
  const shown = `${field} "${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}"`
  if (url.username !== '' || url.password !== '') throw permanentError(`Cannot use ${shown}: expected no user and no password in it`)
  if (url.protocol === 'http:' && !policy.isHttpAllowed)
    throw permanentError(`Cannot use ${shown}: expected https, since the administrator does not allow http`)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw permanentError(`Cannot use ${shown}: expected https`)
  const refused = blockedHostReason(url.hostname, policy)
  if (refused) throw permanentError(`Cannot use ${shown}: ${refused}`)
  return url
}

/** Why a host may not be talked to, or undefined. Whether its addresses may be is another question. */
export function blockedHostReason(host: string, { hostsAllowed }: EndpointPolicy): string | undefined {
  const name = plainHost(host)
  if (hostsAllowed.length === 0 || hostsAllowed.some(pattern => fits(name, plainHost(pattern)))) return undefined
  return `the administrator does not allow the host "${name}", expected one of ${hostsAllowed.join(', ')}`
}

/** In small letters, without the brackets of an address and the dot of the root. */
export function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}

function fits(name: string, pattern: string): boolean {
  return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) && name.length > pattern.length - 1 : name === pattern
}
