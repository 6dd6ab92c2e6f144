// Completes the last word of a command line. Pure. In: a program and its words. Out: candidates,
// or the kind of cluster names that completeNames.ts looks up.
import type { Command, Option } from 'commander'

export type Candidate = { readonly text: string; readonly about?: string }
export type NameKind =
  | 'capture'
  | 'pod'
  | 'deployment'
  | 'service'
  | 'namespace'
  | 'context'
  | 'cluster'
  | 'user'
  | 'node'

/**
 * `names`: the cluster has the candidates; `prefix` precedes each ("--pod=a,"). `isFile`: the shell
 * completes files.
 */
export type Completion = {
  readonly candidates: readonly Candidate[]
  readonly names?: {
    readonly kind: NameKind
    readonly prefix: string
    readonly options: Readonly<Record<string, string>>
  }
  readonly isFile?: boolean
}

const kinds: readonly string[] = [
  'capture',
  'pod',
  'deployment',
  'service',
  'namespace',
  'context',
  'cluster',
  'user',
  'node',
]
const files: readonly string[] = [
  'kubeconfig',
  'certificateAuthority',
  'clientCertificate',
  'clientKey',
  'dest',
  'write',
  'file',
  'dir',
]
const nothing: Completion = { candidates: [] }

type ReadNames = {
  readonly command: Command
  readonly places: number
  readonly options: Record<string, string>
  readonly open: Option | undefined
}

export function completionCandidates(program: Command, words: readonly string[]): Completion {
  const typed = words.at(-1) ?? ''
  const { command, places, options, open } = read(program, words.slice(0, -1))
  if (open) return ofValue(open, typed, '', options)
  const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(typed) ?? []
  const given = flag === undefined ? undefined : optionOf(command, flag)
  if (given) return ofValue(given, value ?? '', `${flag}=`, options)
  if (typed.startsWith('-')) return { candidates: starting(optionsOf(command), typed) }
  if (command.commands.length > 0) return { candidates: starting(commandsOf(command), typed) }
  const argument =
    command.registeredArguments[places] ??
    command.registeredArguments.findLast(({ variadic }) => variadic)
  return argument ? ofKind(argument.name(), '', options, argument.argChoices ?? [], typed) : nothing
}

/**
 * Finds the subcommand, the number of its arguments so far, and an option whose value is missing.
 */
function read(program: Command, words: readonly string[]): ReadNames {
  let [command, places, open] = [program, 0, undefined as Option | undefined]
  const options: Record<string, string> = {}
  for (const word of words) {
    const inner = open ? undefined : command.commands.find(each => each.name() === word)
    const [flag = '', ...rest] = word.split('=')
    const option = open ? undefined : optionOf(command, flag)
    if (open) options[open.attributeName()] = word
    else if (option && rest.length > 0) options[option.attributeName()] = rest.join('=')
    else if (inner) command = inner
    else if (!word.startsWith('-')) places++
    open = option?.required && rest.length === 0 ? option : undefined
  }
  return { command, places, options, open }
}

function ofValue(
  option: Option,
  typed: string,
  before: string,
  options: Record<string, string>,
): Completion {
  const several = typed.slice(0, typed.lastIndexOf(',') + 1) // the last item of a list is incomplete
  const prefix = `${before}${kinds.includes(option.attributeName()) ? several : ''}`
  return ofKind(
    option.attributeName(),
    prefix,
    options,
    option.argChoices ?? [],
    `${before}${typed}`,
  )
}

function ofKind(
  name: string,
  prefix: string,
  options: Record<string, string>,
  choices: readonly string[],
  typed: string,
): Completion {
  if (choices.length > 0)
    return {
      candidates: starting(
        choices.map(text => ({ text: `${prefix}${text}` })),
        typed,
      ),
    }
  if (kinds.includes(name))
    return { candidates: [], names: { kind: name as NameKind, prefix, options } }
  return { candidates: [], isFile: files.includes(name) }
}

function optionOf(command: Command, flag: string): Option | undefined {
  return command.options.find(({ short, long }) => short === flag || long === flag)
}

function optionsOf(command: Command): Candidate[] {
  return command.options.map(({ long, short, description }) => ({
    text: long ?? short ?? '',
    about: description,
  }))
}

function commandsOf(command: Command): Candidate[] {
  const shown = command.commands.filter(inner => !inner.name().startsWith('__'))
  return shown.map(inner => ({ text: inner.name(), about: inner.description() }))
}

export function starting(candidates: readonly Candidate[], typed: string): Candidate[] {
  return candidates.filter(({ text }) => text.startsWith(typed))
}
