// Makes the TypeScript type of a PacketCapture's spec from its CRD: a field begins in
// crds/packetcapture.yaml. In: the CRD. Out: src/model/packetCaptureSpec.ts, which a test holds to it.
//   node_modules/.bin/node scripts/specTypes.ts          writes src/model/packetCaptureSpec.ts
// Refuses a part of a schema that it has no type for.
import { readFileSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'

type Schema = {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly 'x-kubernetes-int-or-string'?: boolean
}

const simple: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'number',
  boolean: 'boolean',
}

export function specTypes(crd: string): string {
  const spec: Schema = parse(crd).spec.versions[0].schema.openAPIV3Schema.properties.spec
  return `// A PacketCapture's spec as a user writes it, defaults not yet applied. Made from
// crds/packetcapture.yaml by scripts/specTypes.ts: change the CRD, and run that.

export type PacketCaptureSpec = ${typeOf(spec, 'spec', '')}
`
}

function typeOf(schema: Schema, path: string, indent: string): string {
  if (schema.enum) return schema.enum.map(value => `'${value}'`).join(' | ')
  if (schema['x-kubernetes-int-or-string']) return 'string | number'
  if (schema.items) return listOf(typeOf(schema.items, `${path}[]`, indent))
  if (schema.properties) return objectOf(schema, path, indent)
  const found = simple[schema.type ?? '']
  if (found === undefined)
    throw new Error(`Cannot make a type of ${path}: found ${JSON.stringify(schema)}`)
  return found
}

function listOf(type: string): string {
  return type.includes(' | ') && !type.startsWith('{')
    ? `readonly (${type})[]`
    : `readonly ${type}[]`
}

function objectOf(
  { properties = {}, required = [] }: Schema,
  path: string,
  indent: string,
): string {
  const inner = `${indent}  `
  const fields = Object.entries(properties).map(([name, schema]) => {
    const mark = required.includes(name) ? '' : '?'
    return `${inner}readonly ${name}${mark}: ${typeOf(schema, `${path}.${name}`, inner)}\n`
  })
  return `{\n${fields.join('')}${indent}}`
}

if (import.meta.main) {
  const file = (path: string): URL => new URL(`../${path}`, import.meta.url)
  writeFileSync(
    file('src/model/packetCaptureSpec.ts'),
    specTypes(readFileSync(file('crds/packetcapture.yaml'), 'utf8')),
  )
}
