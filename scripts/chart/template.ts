// From an object and what components make of it to a template of Helm.
// In: the object as a tree and alternatives, each with the condition under which it holds. Out:
// YAML with Helm's actions. An alternative may change a scalar, add keys, append to a list, and take
// items out of one.
// Refuses one that takes a key away, or changes a tree into something else.
import { isDeepStrictEqual } from 'node:util'
import { stringify } from 'yaml'

export type Alternative = { readonly condition: string; readonly node: unknown }
type Lines = readonly string[]
type Tree = { readonly [key: string]: unknown }

/** A value that comes from values.yaml: what follows the key, at that many columns. */
export class Insert {
  readonly kind: 'scalar' | 'block' | 'optional' | 'text'
  readonly expression: string

  constructor(kind: Insert['kind'], expression: string) {
    this.kind = kind
    this.expression = expression
  }

  lines(key: string, pad: string): Lines {
    const inner = pad.length + 2
    switch (this.kind) {
      case 'scalar':
        return [`${pad}${key}: {{ ${this.expression} }}`]
      case 'block':
        return [`${pad}${key}: {{- toYaml ${this.expression} | nindent ${inner} }}`]
      case 'optional':
        return [
          `${pad}{{- with ${this.expression} }}`,
          `${pad}${key}: {{- toYaml . | nindent ${inner} }}`,
          `${pad}{{- end }}`,
        ]
      case 'text':
        return [`${pad}${key}: |`, `{{ toYaml ${this.expression} | indent ${inner} }}`]
    }
  }
}

/** The lines of one object, without the mark between documents. */
export function templateLines(node: Tree, alternatives: readonly Alternative[]): Lines {
  return mapLines(node, alternatives, '')
}

function mapLines(map: Tree, alternatives: readonly Alternative[], pad: string): Lines {
  const known = Object.keys(map).flatMap(key =>
    entry(
      key,
      map[key],
      alternatives.map(each => childOf(each, key)),
      pad,
    ),
  )
  const added = alternatives.flatMap(({ condition, node }) =>
    Object.keys(node as Tree)
      .filter(key => !Object.hasOwn(map, key))
      .map(key => ({ key, condition, node: (node as Tree)[key] })),
  )
  const groups = [...Map.groupBy(added, ({ key, node }) => JSON.stringify([key, node])).values()]
  return [
    ...known,
    ...guarded(
      groups.map(group => ({
        condition: anyOf(group),
        lines: entry(group[0]?.key ?? '', group[0]?.node, [], pad),
      })),
      pad,
    ),
  ]
}

function childOf({ condition, node }: Alternative, key: string): Alternative {
  if (!isMap(node) || !Object.hasOwn(node, key))
    throw new Error(
      `Cannot make the chart: where ${condition}, "${key}" is gone, expected it to stay`,
    )
  return { condition, node: node[key] }
}

function entry(
  key: string,
  value: unknown,
  alternatives: readonly Alternative[],
  pad: string,
): Lines {
  if (value instanceof Insert) return value.lines(key, pad)
  const differing = alternatives.filter(({ node }) => !isDeepStrictEqual(node, value))
  if (isMap(value) && Object.keys(value).length > 0)
    return [`${pad}${key}:`, ...mapLines(value, differing, `${pad}  `)]
  if (Array.isArray(value) && value.length > 0)
    return [`${pad}${key}:`, ...listLines(value, differing, `${pad}  `)]
  if (differing.length > 0) return [`${pad}${quotedKey(key)}: ${choice(value, differing)}`]
  return plain({ [key]: value }, pad)
}

function listLines(list: readonly unknown[], alternatives: readonly Alternative[], pad: string) {
  const lists = alternatives.map(({ condition, node }) => ({
    condition,
    items: itemsBeside(list, node as readonly unknown[], condition),
  }))
  const known = list.flatMap((item, index) => {
    const others = lists.map(({ condition, items }) => ({ condition, node: items[index] }))
    const without = others.filter(({ node }) => node === isGone)
    const lines = itemLines(
      item,
      others.filter(({ node }) => node !== isGone),
      pad,
    )
    return without.length === 0
      ? lines
      : guarded([{ condition: `not (${anyOf(without)})`, lines }], pad)
  })
  const added = lists.flatMap(({ condition, items }) =>
    items.slice(list.length).map(node => ({ condition, node })),
  )
  const groups = [...Map.groupBy(added, ({ node }) => JSON.stringify(node)).values()]
  return [
    ...known,
    ...guarded(
      groups.map(group => ({
        condition: anyOf(group),
        lines: itemLines(group[0]?.node, [], pad),
      })),
      pad,
    ),
  ]
}

const isGone = Symbol('is gone')

/** An item for each of `list`, then those that were appended. What was taken out is marked. */
function itemsBeside(
  list: readonly unknown[],
  found: readonly unknown[],
  condition: string,
): readonly unknown[] {
  if (found.length >= list.length) return found
  const items = list.map(item =>
    found.some(other => isDeepStrictEqual(other, item)) ? item : isGone,
  )
  if (items.filter(item => item !== isGone).length !== found.length)
    throw new Error(
      `Cannot make the chart: where ${condition}, a list is shorter and has new items`,
    )
  return items
}

function itemLines(item: unknown, alternatives: readonly Alternative[], pad: string): Lines {
  const differing = alternatives.filter(({ node }) => !isDeepStrictEqual(node, item))
  if (isMap(item)) {
    const [first = '', ...others] = mapLines(item, differing, `${pad}  `)
    return [`${pad}- ${first.slice(pad.length + 2)}`, ...others]
  }
  if (differing.length > 0) return [`${pad}- ${choice(item, differing)}`]
  return plain([item], pad)
}

type Group = { readonly condition: string; readonly lines: Lines }

/** Neighbours under one condition stand in one block. */
function guarded(groups: readonly Group[], pad: string): Lines {
  return groups.flatMap(({ condition, lines }, index) => [
    ...(groups[index - 1]?.condition === condition ? [] : [`${pad}{{- if ${condition} }}`]),
    ...lines,
    ...(groups[index + 1]?.condition === condition ? [] : [`${pad}{{- end }}`]),
  ])
}

function anyOf(alternatives: readonly Alternative[]): string {
  const [first = '', ...others] = alternatives.map(({ condition }) => condition)
  return others.length === 0 ? first : `or ${[first, ...others].map(each => `(${each})`).join(' ')}`
}

function choice(value: unknown, alternatives: readonly Alternative[]): string {
  if (![value, ...alternatives.map(({ node }) => node)].every(isScalar))
    throw new Error(`Cannot make the chart: expected scalars in place of ${JSON.stringify(value)}`)
  const tests = alternatives.map(
    ({ condition, node }, index) =>
      `{{ ${index === 0 ? 'if' : 'else if'} ${condition} }}${escaped(JSON.stringify(node))}`,
  )
  return `${tests.join('')}{{ else }}${escaped(JSON.stringify(value))}{{ end }}`
}

function plain(value: unknown, pad: string): Lines {
  const text = stringify(value, { lineWidth: 0 }).trimEnd()
  return text.split('\n').map(line => (line === '' ? line : `${pad}${escaped(line)}`))
}

function quotedKey(key: string): string {
  return stringify(key, { lineWidth: 0 }).trimEnd()
}

/** Braces of the manifest are not actions; the namespace and the image are those of the release. */
function escaped(text: string): string {
  return text
    .replaceAll('{{', '{{ "{{" }}')
    .replaceAll('selcap-system', '{{ .Release.Namespace }}')
    .replaceAll('selcap:IMAGE', '{{ include "selcap.image" . }}')
}

function isMap(value: unknown): value is Tree {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Insert)
  )
}

function isScalar(value: unknown): boolean {
  return value === null || typeof value !== 'object'
}
