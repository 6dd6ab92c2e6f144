// The ConfigMap of a PacketCaptureConfig that is over.
import test from 'ava'
import { resultsOf } from '../../../../src/api/packetcaptureconfig/results.ts'
import type { PacketCaptureConfigStatus } from '../../../../src/api/packetcaptureconfig/status.ts'
import type { CaptureDocument } from '../../../../src/model/world.ts'

const config = (name: string): CaptureDocument => ({
  apiVersion: 'networking.packet.io/v1',
  kind: 'PacketCaptureConfig',
  metadata: {
    name,
    namespace: '',
    uid: 'u',
    generation: 1,
    creationTimestamp: '2026-11-21T10:00:00Z',
  },
  spec: { targetIPs: ['10.0.0.1'] },
})

const status = (phase: PacketCaptureConfigStatus['phase']) =>
  ({ phase, message: 'said', captureFiles: {} }) as PacketCaptureConfigStatus
const nameOf = (name: string) => resultsOf(config(name), status('Completed'))?.metadata.name ?? ''

for (const phase of ['Starting', 'Running'] as const)
  test(`resultsOf() makes nothing while the phase is ${phase}`, t =>
    t.is(resultsOf(config('a'), status(phase)), undefined))

for (const phase of ['Completed', 'Failed'] as const)
  test(`resultsOf() holds spec and status, and goes with the resource, when the phase is ${phase}`, t => {
    const results = resultsOf(config('a'), status(phase))
    const owner = {
      apiVersion: 'networking.packet.io/v1',
      kind: 'PacketCaptureConfig',
      name: 'a',
      uid: 'u',
    }
    t.deepEqual(results?.metadata.ownerReferences, [owner])
    t.deepEqual(JSON.parse(results?.data['results.json'] ?? ''), {
      ...owner,
      creationTimestamp: '2026-11-21T10:00:00Z',
      spec: { targetIPs: ['10.0.0.1'] },
      status: status(phase),
    })
  })

test('resultsOf() is named NAME-results as long as that is a name', t => {
  t.is(nameOf('a'), 'a-results')
  const longest = 'a'.repeat(245)
  t.is(nameOf(longest), `${longest}-results`)
})

test('resultsOf() cuts a longer name to one that an object may have, each to its own', t => {
  const long = [`${'a.'.repeat(126)}b`, `b${'a.'.repeat(125)}bb`, `${'a-'.repeat(126)}b`]
  const names = [...long, `${'a'.repeat(252)}b`, 'a'.repeat(253), 'a'.repeat(246)]
  for (const name of names) {
    t.true(nameOf(name).length <= 253, name)
    t.regex(nameOf(name), /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
    t.true(nameOf(name).endsWith('-results'))
  }
  t.is(new Set(names.map(nameOf)).size, names.length)
})
