// The administrator's policy for destinations of uploads, from the settings.
import type { Settings } from '../../model/settings.ts'
import type { DestinationPolicy } from '../../store/destinationPolicy.ts'

export function policyFromSettings({
  outputHttp,
  outputHostsAllowed,
  outputAddressesAllowed,
}: Settings): DestinationPolicy {
  return {
    isHttpAllowed: outputHttp === 'Allowed',
    hostsAllowed: outputHostsAllowed.split(',').filter(host => host !== ''),
    addressesAllowed: outputAddressesAllowed.split(',').filter(range => range !== ''),
  }
}
