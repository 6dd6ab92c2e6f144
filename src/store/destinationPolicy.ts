// What the administrator allows as a destination: https, the hosts of a list, and no address that
// leads back into the node. In: a URL or a host. Out: why it is refused. Names are checked when a
// target is opened, addresses when a connection is made (egressGuard.ts), so a name that resolves
// differently the second time is still checked.
import { permanentError } from './store.ts'

export type DestinationPolicy = {
  readonly isHttpAllowed: boolean
  /**
   * `store.example.org`, `*.example.org` for all its subdomains, or an address. Empty: every host.
   */
  readonly hostsAllowed: readonly string[]
  /** Ranges that are allowed although they are blocked by default. */
  readonly addressesAllowed: readonly string[]
}

export const strictPolicy: DestinationPolicy = Object.freeze({
  isHttpAllowed: false,
  hostsAllowed: [],
  addressesAllowed: [],
})

/**
 * `field`: where the URL was read. Throws a StoreError that shows the URL without user, password
 * and query.
 */
export function readStoreUrl(field: string, text: string, policy: DestinationPolicy): URL {
  const url = URL.parse(text)
  if (!url?.host)
    throw permanentError(`Cannot use ${field}: expected a URL such as https://store.example.org`) // the text may be a secret
  const shown = `${field} "${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}"`
  if (url.username !== '' || url.password !== '')
    throw permanentError(`Cannot use ${shown}: expected no user and no password in it`)
  if (url.protocol === 'http:' && !policy.isHttpAllowed)
    throw permanentError(
      `Cannot use ${shown}: expected https, since the administrator does not allow http`,
    )
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw permanentError(`Cannot use ${shown}: expected https`)
  const refused = blockedHostReason(url.hostname, policy)
  if (refused) throw permanentError(`Cannot use ${shown}: ${refused}`)
  return url
}

/** Why a host is refused, or undefined. Does not check its addresses. */
export function blockedHostReason(
  host: string,
  { hostsAllowed }: DestinationPolicy,
): string | undefined {
  const name = plainHost(host)
  if (hostsAllowed.length === 0 || hostsAllowed.some(pattern => fits(name, plainHost(pattern))))
    return undefined
  return `the administrator does not allow the host "${name}", expected one of ${hostsAllowed.join(', ')}`
}

/** In lower case, without the brackets of an address and the root's dot. */
export function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}

function fits(name: string, pattern: string): boolean {
  return pattern.startsWith('*.')
    ? name.endsWith(pattern.slice(1)) && name.length > pattern.length - 1
    : name === pattern
}
