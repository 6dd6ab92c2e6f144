// The type of a PacketCapture's spec is what its CRD says.
import test from 'ava'
import { specTypes } from '../../scripts/specTypes.ts'
import { read } from '../support/repository.ts'

const crdOf = (spec: object): string =>
  JSON.stringify({
    spec: { versions: [{ schema: { openAPIV3Schema: { properties: { spec } } } }] },
  })

const ported = { 'x-kubernetes-int-or-string': true }
const rows: readonly (readonly [schema: object, type: string])[] = [
  [{ type: 'string' }, 'a?: string'],
  [{ type: 'integer' }, 'a?: number'],
  [{ type: 'boolean' }, 'a?: boolean'],
  [{ type: 'string', enum: ['x', 'y'] }, "a?: 'x' | 'y'"],
  [ported, 'a?: string | number'],
  [{ type: 'array', items: ported }, 'a?: readonly (string | number)[]'],
  [
    { type: 'array', items: { type: 'object', properties: { b: ported } } },
    'a?: readonly {\n    readonly b?: string | number\n  }[]',
  ],
  [
    { type: 'object', required: ['b'], properties: { b: { type: 'string' } } },
    'a?: {\n    readonly b: string\n  }',
  ],
]
for (const [schema, type] of rows)
  test(`specTypes() makes ${type.replaceAll(/\s+/g, ' ')} of ${JSON.stringify(schema)}`, t => {
    const text = specTypes(crdOf({ type: 'object', properties: { a: schema } }))
    t.true(text.endsWith(`export type PacketCaptureSpec = {\n  readonly ${type}\n}\n`), text)
  })

test('specTypes() refuses what it has no type for', t => {
  t.throws(() => specTypes(crdOf({ type: 'object', properties: { a: { type: 'object' } } })), {
    message: 'Cannot make a type of spec.a: found {"type":"object"}',
  })
})

test('src/model/packetCaptureSpec.ts is made from crds/packetcapture.yaml', t => {
  t.is(
    read('src/model/packetCaptureSpec.ts'),
    specTypes(read('crds/packetcapture.yaml')),
    'run node_modules/.bin/node scripts/specTypes.ts',
  )
})
