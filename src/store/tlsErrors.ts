// Errors of TLS as text. In: an error code of Node or OpenSSL. Out: a StoreError that says what is
// wrong and what was expected. Trusted CAs belong to the process, not to a capture: Node reads
// NODE_EXTRA_CA_CERTS at its start.
import { permanentError, StoreError } from './store.ts'

const expectationOf: readonly (readonly [codes: RegExp, what: string, expected: string])[] = [
  [
    /^(UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF)|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|CERT_SIGNATURE_FAILURE|CERT_UNTRUSTED)/,
    "the store's certificate is of no authority that is trusted",
    "expected that the administrator has given the controller the store's authority (daemonset/components/store-authority)",
  ],
  [
    /^CERT_HAS_EXPIRED$/,
    "the store's certificate, or its authority's, has expired",
    'expected the store to have a new one',
  ],
  [
    /^CERT_NOT_YET_VALID$/,
    "the store's certificate is not valid yet",
    'expected the clocks of store and cluster to agree',
  ],
  [
    /^(ERR_TLS_CERT_ALTNAME|HOSTNAME_MISMATCH)/,
    "the store's certificate is for other names",
    'expected one for the host that files go to, or that host in the endpoint',
  ],
  [
    /^(CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|INVALID_(CA|PURPOSE)|PATH_LENGTH|ERR_TLS_CERT)/,
    "the store's certificate cannot be trusted",
    'expected the store to have another one',
  ],
]

/** undefined: not an error of TLS. */
export function tlsError(code: string): StoreError | undefined {
  // Bytes that changed on the way cause it too, so a retry may succeed.
  if (/^(EPROTO|ERR_SSL_\w+)$/.test(code))
    return new StoreError(`TLS failed (${code}): expected a store that speaks https at this port`)
  const [, what, expected] = expectationOf.find(([codes]) => codes.test(code)) ?? []
  return what === undefined ? undefined : permanentError(`${what} (${code}): ${expected}`) // a retry cannot help
}
