// `selcap validate`: validates manifests against schema, CEL rules, selector and filter. Prints
// the compiled selector and filter of each valid capture, and the problems of the others.
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { Command, Option } from 'commander'
import { readCapture } from '../api/read.ts'
import { filterError } from '../driver/compileCheck.ts'
import type { Driver } from '../driver/driver.ts'
import { openDriver } from '../driver/openDriver.ts'
import { type Document, readDocuments } from '../manifest/read.ts'
import { kinds, otherKinds } from '../manifest/schema.ts'
import type { Intent } from '../model/capture.ts'
import { captureKey } from '../model/captureRef.ts'
import { CommandFailure, TapError } from '../model/errors.ts'
import { defaultSettings } from '../model/settings.ts'
import type { CaptureDocument } from '../model/world.ts'

type ValidDocument = {
  readonly kind: string
  readonly key: string
  readonly selector?: string
  readonly filter?: string
  readonly notes: readonly string[]
}
type ValidationReport = {
  readonly good: readonly ValidDocument[]
  readonly problems: readonly string[]
}

export function validateCommand(): Command {
  return new Command('validate')
    .description('check manifests without applying them')
    .argument(
      '<file...>',
      'files of PacketCapture and WorkloadEndpoint documents; - reads standard input',
    )
    .addOption(new Option('-o, --output <format>', 'output format').choices(['json']))
    .addHelpText(
      'after',
      '\nExit codes: 0 all good, 1 something is wrong, 2 wrong usage or a file cannot be read.',
    )
    .action(validate)
}

const anywhere = { node: '', settings: defaultSettings, nodeLabels: {}, namespaceLabels: new Map() }

async function validate(
  files: readonly string[],
  { output }: { readonly output?: 'json' },
): Promise<void> {
  await using driver = openCompiler()
  const reports = []
  for (const file of files) reports.push(await check(file, driver))
  const all: ValidationReport = {
    good: reports.flatMap(({ good }) => good),
    problems: reports.flatMap(({ problems }) => problems),
  }
  if (output === 'json') process.stdout.write(`${JSON.stringify(all, null, 2)}\n`)
  else {
    for (const good of all.good) process.stdout.write(show(good))
    for (const problem of all.problems) process.stderr.write(`${problem}\n`)
  }
  if (all.problems.length > 0) process.exitCode = 1
}

async function check(file: string, driver: Driver): Promise<ValidationReport> {
  const { documents, problems } = readDocuments(
    await read(file),
    file === '-' ? 'standard input' : file,
    [...kinds, ...otherKinds()],
  )
  const results = await Promise.all(
    documents.map(document => checkDocument(document, driver, file)),
  )
  return {
    good: results.flatMap(({ good }) => good),
    problems: [...problems.map(problem => problem.text), ...results.flatMap(each => each.problems)],
  }
}

async function checkDocument(
  document: Document,
  driver: Driver,
  file: string,
): Promise<ValidationReport> {
  if (document.kind === 'WorkloadEndpoint')
    return {
      good: [{ kind: document.kind, key: captureKey(document.metadata), notes: [] }],
      problems: [],
    }
  const metadata = { uid: '', generation: 1, creationTimestamp: '', ...document.metadata }
  const intent = readCapture({ ...document, metadata } as CaptureDocument, anywhere)
  const { key } = intent
  const problem = intent.ok ? await compileProblem(intent, driver) : intent.message
  if (problem !== undefined || !intent.ok)
    return { good: [], problems: [`${file}: ${document.kind} ${key}: ${problem}`] }
  return {
    good: [
      {
        kind: document.kind,
        key,
        selector: intent.selector,
        filter: intent.filter,
        notes: intent.notes,
      },
    ],
    problems: [],
  }
}

async function compileProblem(intent: Intent, driver: Driver): Promise<string | undefined> {
  return intent.filter === '' ? undefined : (await filterError(driver, intent))?.message
}

function show({ kind, key, selector, filter, notes }: ValidDocument): string {
  const rest =
    selector === undefined
      ? ''
      : `\n  selector:        ${selector}\n  pcap expression: ${filter || '(everything)'}`
  return `${kind} ${key}: good${rest}${notes.map(note => `\n  note:            ${note}`).join('')}\n`
}

async function read(file: string): Promise<string> {
  try {
    return file === '-' ? await text(process.stdin) : await readFile(file, 'utf8')
  } catch (error) {
    throw new CommandFailure(
      'usage',
      `Cannot read "${file}": ${(error as NodeJS.ErrnoException).code}`,
    )
  }
}

// The addon compiles filters in this process; without a built addon the portable driver compiles
// them.
function openCompiler(): Driver {
  try {
    return openDriver('ring')
  } catch (error) {
    if (error instanceof TapError) return openDriver('libpcap')
    throw error
  }
}
