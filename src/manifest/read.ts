// Reads a manifest file: one or more documents in YAML or JSON. In: the text. Out: validated
// documents, and all errors with their places; a document with an error is not among them. Accepts
// any selector and expression, as an API server does: a wrong one becomes the capture's state
// Error.
import {
  isAlias,
  isMap,
  isScalar,
  LineCounter,
  parseAllDocuments,
  visit,
  type Document as YamlDocument,
} from 'yaml'
import type { OtherCapture, PacketCapture, WorkloadEndpoint } from '../model/world.ts'
import { brokenRules } from './celRules.ts'
import { didYouMean } from './didYouMean.ts'
import { type DocumentPlace, explainError, type Path, type Problem, problem } from './problem.ts'
import { type KnownKind, kinds, withDefaults } from './schema.ts'

type NamedDocument = {
  readonly name: string
  readonly namespace: string
  readonly uid?: string
  readonly labels?: Readonly<Record<string, string>>
}

/** With the schema's defaults, its namespace included. */
export type Document = (
  | Omit<PacketCapture, 'metadata'>
  | Omit<OtherCapture, 'metadata'>
  | Omit<WorkloadEndpoint, 'metadata'>
) & {
  readonly metadata: NamedDocument
}

export type ReadDocuments = {
  readonly documents: readonly Document[]
  readonly problems: readonly Problem[]
}

const textBytesMax = 4_194_304
const aliasesMax = 100

/** `served`: the kinds that are accepted. */
export function readDocuments(
  text: string,
  file: string,
  served: readonly KnownKind[] = kinds,
): ReadDocuments {
  const start: DocumentPlace = { file, document: 1, line: 1, column: 1 }
  if (Buffer.byteLength(text) > textBytesMax)
    return {
      documents: [],
      problems: [
        problem(
          start,
          [],
          `found ${Buffer.byteLength(text)} bytes, expected at most ${textBytesMax}`,
        ),
      ],
    }
  if (text.includes('\0') || text.includes('\uFFFD'))
    return {
      documents: [],
      problems: [problem(start, [], 'found bytes that are no text, expected UTF-8')],
    }
  const lines = new LineCounter()
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
  })
  const results = (Array.isArray(parsed) ? parsed : []).map((document, index) =>
    readDocument(document, new DocumentPlaces(document, lines, file, index + 1), served),
  )
  return {
    documents: results.flatMap(({ documents }) => documents),
    problems: results.flatMap(({ problems }) => problems),
  }
}

function readDocument(
  document: YamlDocument,
  places: DocumentPlaces,
  served: readonly KnownKind[],
): ReadDocuments {
  if (document.errors.length > 0)
    return {
      documents: [],
      problems: document.errors.map(error => problem(places.at(error.pos[0]), [], error.message)),
    }
  if (aliasesOf(document) > aliasesMax)
    return {
      documents: [],
      problems: [problem(places.at(0), [], `found more than ${aliasesMax} aliases`)],
    }
  const value = plainValue(document)
  if (value === undefined)
    return {
      documents: [],
      problems: [problem(places.at(0), [], 'found aliases that stand for too much')],
    }
  return value === null ? { documents: [], problems: [] } : readObject(value, [], places, served) // null: an empty document
}

function readObject(
  value: unknown,
  path: Path,
  places: DocumentPlaces,
  served: readonly KnownKind[],
): ReadDocuments {
  const { apiVersion, kind, items } = Object(value) as Record<string, unknown>
  if (kind === 'List' && apiVersion === 'v1' && Array.isArray(items)) {
    const results = items.map((item, index) =>
      readObject(item, [...path, 'items', index], places, served),
    )
    return {
      documents: results.flatMap(({ documents }) => documents),
      problems: results.flatMap(({ problems }) => problems),
    }
  }
  const known = served.find(each => each.kind === kind)
  const refuse = (field: string, found: unknown, expected: string) => ({
    documents: [],
    problems: [
      places.problem(
        [...path, field],
        `found ${JSON.stringify(found) ?? 'nothing'}, expected ${expected}`,
      ),
    ],
  })
  if (!known)
    return refuse(
      'kind',
      kind,
      `${namesOf(served)}${
        typeof kind === 'string'
          ? didYouMean(
              kind,
              served.map(each => each.kind),
            ).replace(/^, expected.*/, '')
          : ''
      }`,
    )
  if (apiVersion !== known.apiVersion) return refuse('apiVersion', apiVersion, known.apiVersion)
  const problems = problemsOf(known, value, path, places)
  return {
    documents: problems.length > 0 ? [] : [withDefaults(known.schema, value) as Document],
    problems,
  }
}

function namesOf(served: readonly KnownKind[]): string {
  const names = served.map(({ kind }) => kind)
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

function problemsOf(
  { schema, validate }: KnownKind,
  value: unknown,
  path: Path,
  places: DocumentPlaces,
): Problem[] {
  validate(value)
  const errors = (validate.errors ?? [])
    .filter(({ keyword }) => keyword !== 'propertyNames')
    .map(explainError)
  return [...errors, ...brokenRules(schema, value)].map(({ path: below, message }) =>
    places.problem([...path, ...below], message),
  )
}

/** undefined: its aliases would expand to too much. */
function plainValue(document: YamlDocument): unknown {
  try {
    return (document.toJS({ maxAliasCount: aliasesMax }) as unknown) ?? null
  } catch (error) {
    if (error instanceof ReferenceError) return undefined
    throw error
  }
}

function aliasesOf(document: YamlDocument): number {
  let count = 0
  visit(document, { Alias: () => void count++ })
  return count
}

/** Finds the place of a path in the file. */
class DocumentPlaces {
  readonly #document: YamlDocument
  readonly #lines: LineCounter
  readonly #file: string
  readonly #number: number

  constructor(document: YamlDocument, lines: LineCounter, file: string, number: number) {
    this.#document = document
    this.#lines = lines
    this.#file = file
    this.#number = number
  }

  at(offset: number): DocumentPlace {
    const { line, col } = this.#lines.linePos(offset)
    return { file: this.#file, document: this.#number, line, column: col }
  }

  problem(path: Path, message: string): Problem {
    return problem(this.at(this.#offsetOf(path)), path, message)
  }

  // The place of the field's key; if it is missing, the place of the object that should hold it.
  #offsetOf(path: Path): number {
    const parent = this.#document.getIn(path.slice(0, -1), true)
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && key.value === path.at(-1))
      : undefined
    if (pair && isScalar(pair.key)) return pair.key.range?.[0] ?? 0
    const node = this.#document.getIn(path, true)
    if (isScalar(node) || isMap(node) || isAlias(node)) return node.range?.[0] ?? 0
    return path.length === 0 ? (this.#document.range?.[0] ?? 0) : this.#offsetOf(path.slice(0, -1))
  }
}
