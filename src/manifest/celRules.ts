// Applies the CEL rules of a schema as an API server does. In: a schema and a value. Out: the rules
// that fail, with their paths.
import { EvaluationError, parse } from '@marcbachmann/cel-js'
import type { Schema } from './schema.ts'

export type BrokenRule = { readonly path: readonly (string | number)[]; readonly message: string }

export function brokenRules(
  schema: Schema,
  value: unknown,
  path: readonly (string | number)[] = [],
): BrokenRule[] {
  if (value === undefined || value === null) return []
  const here = (schema['x-kubernetes-validations'] ?? [])
    .filter(({ rule }) => !holds(rule, value))
    .map(({ message, fieldPath }) => ({
      path: [...path, ...(fieldPath ? fieldPath.split('.').slice(1) : [])],
      message: `${found(value)}${message}`,
    }))
  const items =
    Array.isArray(value) && schema.items
      ? value.flatMap((item, index) => brokenRules(schema.items as Schema, item, [...path, index]))
      : []
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, inner]) =>
    brokenRules(inner, (value as Record<string, unknown>)[name], [...path, name]),
  )
  return [...here, ...items, ...fields]
}

/** A rule that does not apply to the value's type holds: the schema itself refuses such a value. */
function holds(rule: string, value: unknown): boolean {
  try {
    return programOf(rule)({ self: forCel(value) }) === true
  } catch (error) {
    if (error instanceof EvaluationError) return true
    throw error
  }
}

// One for each rule of the schemas.
const programs = new Map<string, ReturnType<typeof parse>>()

function programOf(rule: string): ReturnType<typeof parse> {
  const program = programs.get(rule) ?? parse(rule)
  programs.set(rule, program)
  return program
}

function found(value: unknown): string {
  return typeof value === 'object' ? '' : `found ${JSON.stringify(value)}, `
}

// CEL keeps integers apart from other numbers.
function forCel(value: unknown): unknown {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  if (Array.isArray(value)) return value.map(forCel)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, forCel(inner)]))
  return value
}
