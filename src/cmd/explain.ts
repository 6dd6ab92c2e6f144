// `selcap explain`: prints a selector's canonical form, whether it matches given labels, and which
// part of it decided.

import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Command } from 'commander'
import { explain } from '../../grammar/explain.ts'
import { parseSelector, type Selector } from '../../grammar/selector.ts'
import { CommandFailure } from '../model/errors.ts'

type ExplainOptions = { readonly label: ReadonlyMap<string, string>; readonly json?: boolean }

export function explainCommand(): Command {
  return new Command('explain')
    .description('show what a selector means and whether it matches')
    .argument('[selector]', 'a Calico selector, for example: app == "web" && tier in {"a", "b"}')
    .option(
      '-l, --label <key=value>',
      'a label of the endpoint; may be given again',
      addLabel,
      new Map(),
    )
    .option(
      '--json',
      'read lines {"selector": …, "labels": {…}} and answer each with a line of JSON',
    )
    .addHelpText('after', '\nExit codes: 0 it is a selector, 1 it is none, 2 wrong usage.')
    .action((text: string | undefined, options: ExplainOptions) => run(text, options))
}

async function run(text: string | undefined, { label, json }: ExplainOptions): Promise<void> {
  if (json && text === undefined) return answerLines()
  if (json || text === undefined)
    throw new CommandFailure(
      'usage',
      `Cannot explain: found ${json ? 'a selector and --json' : 'nothing'}, expected a selector or --json with lines on standard input`,
    )
  const parsed = parseSelector(text)
  if (!parsed.ok) {
    process.stderr.write(`${parsed.error.display}\n`)
    process.exitCode = 1
  } else process.stdout.write(describe(parsed.selector, label))
}

function describe(
  { tree, canonical, uniqueId }: Selector,
  labels: ReadonlyMap<string, string>,
): string {
  const { match, decided, decidedAs, label } = explain(tree, name => labels.get(name))
  const found =
    label &&
    (label.value === undefined
      ? ` (label ${label.name} is absent)`
      : ` (label ${label.name} is ${JSON.stringify(label.value)})`)
  return `canonical: ${canonical}\nunique id: ${uniqueId}\nmatch:     ${match}\ndecided:   ${decided} is ${decidedAs}${found ?? ''}\n`
}

function addLabel(text: string, labels: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const split = text.indexOf('=')
  if (split < 1)
    throw new CommandFailure('usage', `Cannot read --label "${text}": expected key=value`)
  return new Map(labels).set(text.slice(0, split), text.slice(split + 1))
}

async function answerLines(): Promise<void> {
  const gone = new AbortController() // aborted when the reader closes standard output
  process.stdout.on('error', () => gone.abort())
  for await (const line of createInterface({
    input: process.stdin,
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    if (gone.signal.aborted) return
    if (line.trim() === '' || process.stdout.write(`${JSON.stringify(answer(line))}\n`)) continue
    await once(process.stdout, 'drain', { signal: gone.signal }).catch(() => {}) // the reader closed the pipe: the loop ends
  }
}

type PodAnswer =
  | { readonly match: boolean; readonly canonical: string; readonly uniqueId: string }
  | { readonly error: string; readonly offset: number }

function answer(line: string): PodAnswer {
  const question = readLine(line)
  if (typeof question === 'string') return { error: question, offset: 0 }
  const parsed = parseSelector(question.selector)
  if (!parsed.ok) return { error: parsed.error.message, offset: parsed.error.offset }
  const { canonical, uniqueId, matches } = parsed.selector
  return {
    match: matches(name =>
      Object.hasOwn(question.labels, name) ? question.labels[name] : undefined,
    ),
    canonical,
    uniqueId,
  }
}

const wantedPods = 'expected {"selector": string, "labels": {string: string}}'

function readLine(
  line: string,
): { readonly selector: string; readonly labels: Readonly<Record<string, string>> } | string {
  try {
    const { selector, labels = {} } = Object(JSON.parse(line)) as {
      selector?: unknown
      labels?: unknown
    }
    const isLabels =
      typeof labels === 'object' &&
      labels !== null &&
      Object.values(labels).every(value => typeof value === 'string')
    return typeof selector === 'string' && isLabels
      ? { selector, labels: labels as Record<string, string> }
      : `Cannot read the line: ${wantedPods}`
  } catch (error) {
    return `Cannot read the line as JSON: ${(error as Error).message}, ${wantedPods}`
  }
}
