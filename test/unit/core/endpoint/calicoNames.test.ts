import test from 'ava'
import {
  type EndpointNameParts,
  endpointName,
  hostInterfaceName,
  parseEndpointName,
} from '../../../../src/core/endpoint/calicoNames.ts'
import { casesOf } from '../../../support/grammar/fixtures.ts'

type NameCase = {
  ids: EndpointNameParts
  allowPrefix: boolean
  expected: string
  erroredField: string | null
}
for (const { number, ids, allowPrefix, expected, erroredField } of casesOf<NameCase>('wepName')) {
  test(`endpointName() agrees with upstream when it is given case ${number}`, t => {
    if (erroredField === null) t.is(endpointName(ids, allowPrefix), expected)
    else
      t.throws(() => endpointName(ids, allowPrefix), {
        instanceOf: RangeError,
        message: new RegExp(`^${erroredField}: field `),
      })
  })
}

for (const { number, name, error, expected } of casesOf<{
  name: string
  error: boolean
  expected: EndpointNameParts
}>('wepParse')) {
  test(`parseEndpointName() agrees with upstream when it is given case ${number}`, t => {
    if (error) t.throws(() => parseEndpointName(name), { instanceOf: RangeError })
    else t.deepEqual(parseEndpointName(name), expected)
  })
}

for (const { number, namespace, pod, prefix, expected } of casesOf<{
  namespace: string
  pod: string
  prefix: string
  expected: string
}>('vethName')) {
  test(`hostInterfaceName() agrees with upstream when it is given case ${number}`, t =>
    t.is(hostInterfaceName(namespace, pod, prefix), expected))
}
