// The schemas of manifests. In: crds/packetcapture.yaml and the schema files beside this one. Out:
// for each kind, a JSON schema and its validator. Refuses unknown fields wherever the schema names
// its fields.
import { readFileSync } from 'node:fs'
import { Ajv, type ValidateFunction } from 'ajv'
import { parse } from 'yaml'
import { readTime } from '../api/packetcapture/time.ts'
import type { Api } from '../model/captureRef.ts'

export type Schema = {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly propertyNames?: Schema
  readonly items?: Schema
  readonly format?: string
  readonly 'x-kubernetes-int-or-string'?: boolean
  readonly 'x-kubernetes-validations'?: readonly Rule[]
}

export type Rule = { readonly rule: string; readonly message: string; readonly fieldPath?: string }

export type KnownKind = {
  readonly kind: Api | 'WorkloadEndpoint'
  readonly apiVersion: string
  readonly schema: Schema
  readonly validate: ValidateFunction
}

const calico = 'projectcalico.org/v3'
const metadata = read('./metadata.schema.yaml') as Schema
const ajv = new Ajv({ allErrors: true, strict: false, verbose: true }).addFormat(
  'date-time',
  isTime,
)

export const kinds: readonly KnownKind[] = [
  known('PacketCapture', calico, describedIn('packetcapture.yaml')),
  known('WorkloadEndpoint', calico, read('./workloadendpoint.schema.yaml') as Schema),
]

/** Kinds that a cluster serves only if the administrator enabled them. */
export function otherKinds(): KnownKind[] {
  const file = 'packetcaptureconfig/packetcaptureconfigs.networking.packet.io.yaml'
  return [known('PacketCaptureConfig', 'networking.packet.io/v1', describedIn(file))]
}

/** Leaves out the fields of the schema that are null, as an API server does, in a copy of the value. */
export function withoutNulls(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value))
    return schema.items ? value.map(item => withoutNulls(schema.items as Schema, item)) : value
  if (typeof value !== 'object' || value === null || !schema.properties) return value
  const known = schema.properties
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]): [string, unknown][] => {
      if (!Object.hasOwn(known, name)) return [[name, inner]]
      return inner === null ? [] : [[name, withoutNulls(known[name] as Schema, inner)]]
    }),
  )
}

/** Fills in the schema's defaults for missing fields, in a copy of the value. */
export function withDefaults(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value))
    return schema.items ? value.map(item => withDefaults(schema.items as Schema, item)) : value
  if (typeof value !== 'object' || value === null || !schema.properties) return value
  const given = Object.entries(schema.properties).flatMap(([name, inner]): [string, unknown][] => {
    const found = (value as Record<string, unknown>)[name] ?? inner.default
    return found === undefined ? [] : [[name, withDefaults(inner, found)]]
  })
  return { ...value, ...Object.fromEntries(given) }
}

function describedIn(file: string): Schema {
  const crd = read(`../../crds/${file}`) as {
    spec: { versions: { schema: { openAPIV3Schema: Schema } }[] }
  }
  return crd.spec.versions[0]?.schema.openAPIV3Schema ?? {}
}

function known(kind: KnownKind['kind'], apiVersion: string, described: Schema): KnownKind {
  const schema: Schema = { ...described, properties: { ...described.properties, metadata } }
  const closed = closeOff({ ...schema, required: ['apiVersion', 'kind', 'metadata'] } as Schema)
  return { kind, apiVersion, schema, validate: ajv.compile(closed) }
}

// Kubernetes prunes unknown fields; here they are refused by name. Also translates int-or-string
// and drops integer formats.
function closeOff(schema: Schema): object {
  const {
    format,
    properties,
    items,
    additionalProperties,
    'x-kubernetes-int-or-string': isEither,
    ...rest
  } = schema
  const types = isEither ? { type: ['integer', 'string'] } : {}
  return {
    ...rest,
    ...types,
    ...(format === 'date-time' && { format }),
    ...(items && { items: closeOff(items) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, inner]) => [name, closeOff(inner)]),
      ),
      additionalProperties: false,
    }),
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: closeOff(additionalProperties),
    }),
  }
}

function isTime(text: string): boolean {
  try {
    return Number.isFinite(readTime(text))
  } catch {
    return false
  }
}

function read(path: string): unknown {
  return parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
}
