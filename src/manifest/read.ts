// Reads a manifest file: one or more documents in YAML or JSON. In: the text. Out: validated
// documents, and all errors with their places; a document with an error is not among them. Accepts
// any selector and expression, as an API server does: a wrong one becomes the capture's state
// Error.
import { isAlias, isMap, isScalar, LineCounter, type Document as YamlDocument } from 'yaml'
import type { OtherCapture, PacketCapture, WorkloadEndpoint } from '../model/world.ts'
import { brokenRules } from './celRules.ts'
import { didYouMean } from './didYouMean.ts'
import { plainValue } from './plainValue.ts'
import {
  type DocumentPlace,
  explainError,
  type Path,
  type Problem,
  problem,
  show,
} from './problem.ts'
import { type KnownKind, kinds, withDefaults, withoutNulls } from './schema.ts'
import { type Refused, yamlDocuments } from './yamlDocuments.ts'

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
const problemsMax = 100

/** `served`: the kinds that are accepted. */
export function readDocuments(
  text: string,
  file: string,
  served: readonly KnownKind[] = kinds,
): ReadDocuments {
  const start: DocumentPlace = { file, document: 1, line: 1, column: 1 }
  const refusal =
    Buffer.byteLength(text) > textBytesMax
      ? `found ${Buffer.byteLength(text)} bytes, expected at most ${textBytesMax}`
      : text.includes('\0') || text.includes('\uFFFD')
        ? 'found bytes that are no text, expected UTF-8'
        : undefined
  if (refusal !== undefined) return { documents: [], problems: [problem(start, [], refusal)] }
  const lines = new LineCounter()
  const all = { documents: [] as Document[], problems: [] as Problem[] }
  let number = 0 // of the current document
  for (const document of yamlDocuments(text, lines)) {
    const { documents, problems } = readDocument(document, lines, file, ++number, served)
    all.documents.push(...documents)
    all.problems.push(...problems)
    if (all.problems.length < problemsMax) continue
    const { line, column } = all.problems.at(-1) ?? start
    all.problems.splice(problemsMax)
    all.problems.push(
      problem(
        { file, document: number, line, column },
        [],
        `found ${problemsMax} problems, the rest of the file was not read`,
      ),
    )
    break
  }
  return all
}

function readDocument(
  document: YamlDocument.Parsed | Refused,
  lines: LineCounter,
  file: string,
  number: number,
  served: readonly KnownKind[],
): ReadDocuments {
  const places = new DocumentPlaces(document, lines, file, number)
  if ('message' in document) return refused(places, [document])
  if (document.errors.length > 0)
    return refused(
      places,
      document.errors
        .slice(0, problemsMax)
        .map(({ pos, message }) => ({ offset: pos[0], message })),
    )
  const plain = plainValue(document)
  if ('message' in plain) return refused(places, [plain])
  const { value } = plain
  return value === null ? { documents: [], problems: [] } : readObject(value, [], places, served) // null: an empty document
}

function refused(places: DocumentPlaces, found: readonly Refused[]): ReadDocuments {
  return {
    documents: [],
    problems: found.map(({ offset, message }) => problem(places.at(offset), [], message)),
  }
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
        `found ${found === undefined ? 'nothing' : show(found)}, expected ${expected}`,
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
  const given = withoutNulls(known.schema, value)
  const problems = problemsOf(known, given, path, places)
  return {
    documents: problems.length > 0 ? [] : [withDefaults(known.schema, given) as Document],
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
  const errors = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'propertyNames')
  // As an API server does: the rules count on the sizes that the schema allows.
  const areRulesSafe = !errors.some(({ keyword }) => keyword.startsWith('max'))
  return [
    ...errors.slice(0, problemsMax).map(explainError),
    ...(areRulesSafe ? brokenRules(schema, value) : []),
  ]
    .slice(0, problemsMax)
    .map(({ path: below, message }) => places.problem([...path, ...below], message))
}

/** Finds the place of a path in the file. */
class DocumentPlaces {
  readonly #document: YamlDocument.Parsed | undefined
  readonly #lines: LineCounter
  readonly #file: string
  readonly #number: number

  constructor(
    document: YamlDocument.Parsed | Refused,
    lines: LineCounter,
    file: string,
    number: number,
  ) {
    this.#document = 'message' in document ? undefined : document
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
    if (this.#document === undefined) return 0
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
