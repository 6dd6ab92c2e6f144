// Every field of a schema is one that Kubernetes knows, and every description is a whole text: in
// YAML's short form an unquoted comma ends a description, and the rest becomes a field.
import test from 'ava'
import { parseAllDocuments } from 'yaml'
import { read } from '../support/repository.ts'
import { under } from './tree.ts'

type Found = { readonly path: string; readonly problem: string }

const fields = new Set(
  (
    'type format description default enum required properties items additionalProperties pattern ' +
    'minLength maxLength minItems maxItems minimum maximum minProperties maxProperties nullable ' +
    'anyOf oneOf allOf not uniqueItems multipleOf'
  ).split(' '),
)

function problemsOf(schema: unknown, path: string): Found[] {
  if (typeof schema !== 'object' || schema === null) return [{ path, problem: 'is no schema' }]
  return Object.entries(schema).flatMap(([name, value]): Found[] => {
    const here = `${path}.${name}`
    if (name === 'properties')
      return Object.entries(value).flatMap(([field, inner]) =>
        problemsOf(inner, `${here}.${field}`),
      )
    if (['items', 'not'].includes(name)) return problemsOf(value, here)
    if (['anyOf', 'oneOf', 'allOf'].includes(name))
      return (value as unknown[]).flatMap(inner => problemsOf(inner, here))
    if (name === 'description') return problemOfText(value, here)
    return fields.has(name) || name.startsWith('x-kubernetes-')
      ? []
      : [{ path: here, problem: 'is no field of a schema' }]
  })
}

function problemOfText(value: unknown, path: string): Found[] {
  return typeof value === 'string' && /^\S[\s\S]*[^\s,;:]\s*$/.test(value)
    ? []
    : [{ path, problem: `is no whole text: ${JSON.stringify(value)}` }]
}

const definitions = under('crds')
  .filter(file => file.endsWith('.yaml'))
  .flatMap(file => parseAllDocuments(read(file)).map(document => document.toJS()))
  .filter(document => document?.kind === 'CustomResourceDefinition')

test('every field and description of the resources is whole', t => {
  t.true(definitions.length >= 4)
  for (const { metadata, spec } of definitions)
    for (const version of spec.versions) {
      const path = `${metadata.name} ${version.name}`
      t.deepEqual(problemsOf(version.schema.openAPIV3Schema, path), [])
      for (const column of version.additionalPrinterColumns ?? []) {
        t.deepEqual(
          Object.keys(column).filter(
            key => !['name', 'type', 'format', 'jsonPath', 'description', 'priority'].includes(key),
          ),
          [],
          path,
        )
      }
    }
})

test('a description that a comma cuts is found', t => {
  const cut = { type: 'string', description: 'Why there is none', 'or not all of it.': null }
  t.deepEqual(problemsOf(cut, 'error'), [
    { path: 'error.or not all of it.', problem: 'is no field of a schema' },
  ])
})
