// The administrator's policy for upload endpoints, from the settings.
import type { Settings } from '../../model/settings.ts'
import type { EndpointPolicy } from '../../store/endpointPolicy.ts'

export function endpointPolicyOf({
  outputHttp,
  outputHostsAllowed,
  outputAddressesAllowed,
}: Settings): EndpointPolicy {
  return {
    isHttpAllowed: outputHttp === 'Allowed',
    hostsAllowed: outputHostsAllowed.split(',').filter(host => host !== ''),
    addressesAllowed: outputAddressesAllowed.split(',').filter(range => range !== ''),
  }
}
