// The table of values in the chart's README, and the values' JSON schema.
// In: values.yaml with its comments. Out: a row for each key that has a comment, in the file's
// order; a schema that knows each key and the type of its default. Refuses a key without a comment.
import { type Document, isMap, isScalar, type Pair, type ParsedNode, type YAMLMap } from 'yaml'

type Row = { readonly key: string; readonly value: unknown; readonly description: string }
type Schema = { readonly [key: string]: unknown }

// Trees that belong to Kubernetes or to the user: their keys are not ours.
const open = new Set([
  'resources',
  'nodeSelector',
  'affinity',
  'podAnnotations',
  'labels',
  'settings',
  'packetCaptureConfig',
])

export function valuesTable(values: Document.Parsed): string {
  const lines = rowsOf(values.contents as YAMLMap, '').map(
    ({ key, value, description }) => `| \`${key}\` | ${shown(value)} | ${description} |`,
  )
  return ['| value | default | what it is |', '|---|---|---|', ...lines].join('\n')
}

export function valuesSchema(values: Document.Parsed): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    ...schemaOf(values.contents as YAMLMap),
  }
}

function rowsOf(map: YAMLMap, prefix: string): Row[] {
  return map.items.flatMap((pair, index) => {
    const name = nameOf(pair)
    const description = commentOf(map, pair, index)
    const isGroup = isMap(pair.value) && pair.value.items.length > 0 && !open.has(name)
    if (isGroup) return rowsOf(pair.value as YAMLMap, `${prefix}${name}.`)
    if (description === '')
      throw new Error(`Cannot make the chart: "${prefix}${name}" in values.yaml has no comment`)
    return [{ key: `${prefix}${name}`, value: plainOf(pair.value), description }]
  })
}

/** The comment above a key. The parser gives the first key's comment to the map. */
function commentOf(map: YAMLMap, { key }: Pair, index: number): string {
  const own = (key as ParsedNode).commentBefore ?? ''
  const text = own === '' && index === 0 ? (map.commentBefore ?? '') : own
  return text.split('\n').at(-1)?.trim() ?? ''
}

function schemaOf(map: YAMLMap): Schema {
  const properties = map.items.map(pair => [nameOf(pair), propertyOf(nameOf(pair), pair.value)])
  return {
    type: 'object',
    additionalProperties: false,
    properties: { ...Object.fromEntries(properties), global: { type: 'object' } },
  }
}

function propertyOf(name: string, value: unknown): Schema {
  if (isMap(value)) return open.has(name) ? { type: 'object' } : schemaOf(value)
  const plain = plainOf(value)
  if (Array.isArray(plain)) return { type: 'array' }
  return { type: typeof plain === 'number' ? 'integer' : typeof plain }
}

function nameOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : String(key)
}

function plainOf(value: unknown): unknown {
  return (value as ParsedNode).toJSON()
}

function shown(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 60 ? 'see values.yaml' : `\`${text.replaceAll('|', '\\|')}\``
}
