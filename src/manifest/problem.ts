// One error of a manifest file with its place. All errors of a file are reported together.
import type { ErrorObject } from 'ajv'
import { didYouMean } from './didYouMean.ts'

export type Path = readonly (string | number)[]

export type Problem = {
  readonly file: string
  readonly document: number // 1-based
  readonly line: number // 1-based
  readonly column: number // 1-based
  readonly path: string // spec.filters[0].ports[1]; '' for the document as a whole
  readonly message: string
  readonly text: string // all of it on one line
}

const shownMax = 80

export type DocumentPlace = Pick<Problem, 'file' | 'document' | 'line' | 'column'>

export function problem(place: DocumentPlace, path: Path, message: string): Problem {
  const shown = showPath(path)
  const { file, line, column, document } = place
  return {
    ...place,
    path: shown,
    message,
    text: `${file}:${line}:${column}: document ${document}: ${shown === '' ? '' : `${shown}: `}${message}`,
  }
}

export function showPath(path: Path): string {
  return path
    .map(step => (typeof step === 'number' ? `[${step}]` : `.${cut(step)}`))
    .join('')
    .replace(/^\./, '')
}

/** The path and the message of a validator's error. */
export function explainError({
  keyword,
  instancePath,
  params,
  data,
  parentSchema,
  propertyName,
  schema,
}: ErrorObject): {
  readonly path: Path
  readonly message: string
} {
  const path = instancePath
    .split('/')
    .slice(1)
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map(step => (/^\d+$/.test(step) ? Number(step) : step))
  if (keyword === 'additionalProperties') {
    const name = String(params.additionalProperty)
    const known = Object.keys((parentSchema as { properties?: object }).properties ?? {})
    return { path: [...path, name], message: `unknown field${didYouMean(name, known)}` }
  }
  if (keyword === 'required')
    return {
      path: [...path, String(params.missingProperty)],
      message: 'found nothing, expected this field',
    }
  if (keyword === 'propertyNames' || propertyName !== undefined)
    return {
      path: [...path, String(propertyName ?? params.propertyName)],
      message:
        'this is no valid key, expected letters, digits, "-", "_" and ".", with an optional DNS name and "/" before',
    }
  return {
    path,
    message: `found ${show(data)}, expected ${expectation(keyword, schema)}`,
  }
}

/** What each pattern of a schema expects. */
const patternWords: Readonly<Record<string, string>> = {
  '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$':
    'a DNS name: at most 253 lower-case letters, digits, "-" and ".", a letter or digit first and last',
  '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$':
    'a DNS label: at most 63 lower-case letters, digits and "-", a letter or digit first and last',
  '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$':
    'a DNS label: lower-case letters, digits and "-", a letter or digit first and last',
  '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$':
    'a DNS name: lower-case letters, digits and "-", in parts with "." between them',
  '^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$':
    'at most 63 letters, digits, "-", "_" and ".", a letter or digit first and last',
  '^[a-zA-Z0-9_.-]{1,127}$': '1 to 127 letters, digits, "-", "_" and "."',
  '^[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?$': 'an IP address, or one with "/" and a prefix length',
}

function expectation(keyword: string, schema: unknown): string {
  switch (keyword) {
    case 'type':
      return Array.isArray(schema)
        ? schema.join(' or ')
        : `${schema === 'integer' ? 'a whole number' : schema === 'array' ? 'a list' : schema === 'object' ? 'fields' : `a ${schema}`}`
    case 'enum':
      return (schema as unknown[]).join(' or ')
    case 'minimum':
      return `at least ${schema}`
    case 'maximum':
      return `at most ${schema}`
    case 'minLength':
      return `at least ${schema} characters`
    case 'maxLength':
      return `at most ${schema} characters`
    case 'maxItems':
      return `at most ${schema} of them`
    case 'format':
      return 'a time as in RFC 3339, for example "2026-08-26T12:00:00Z"'
    case 'pattern':
      return patternWords[String(schema)] ?? `what fits ${schema}`
    default:
      return `${keyword} ${JSON.stringify(schema)}`
  }
}

export function show(value: unknown): string {
  const some = Array.isArray(value) ? value.slice(0, shownMax) : value
  return cut(JSON.stringify(some) ?? String(some))
}

function cut(text: string): string {
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text
}
