// What the settings allow as destinations of uploads.
import test from 'ava'
import { policyFromSettings } from '../../../../src/controller/uploads/policyFromSettings.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import { strictPolicy } from '../../../../src/store/destinationPolicy.ts'

test('policyFromSettings() is strict when nothing is set', t => {
  t.deepEqual(policyFromSettings(defaultSettings), strictPolicy)
})

test('policyFromSettings() allows http, hosts and ranges that are set', t => {
  const settings = {
    ...defaultSettings,
    outputHttp: 'Allowed',
    outputHostsAllowed: 'store.example.org,*.example.com',
    outputAddressesAllowed: '10.0.0.0/8',
  } as const
  t.deepEqual(policyFromSettings(settings), {
    isHttpAllowed: true,
    hostsAllowed: ['store.example.org', '*.example.com'],
    addressesAllowed: ['10.0.0.0/8'],
  })
})
