// Completes names in the cluster. In: the words of a command line. Out: candidates in cobra's
// form: one a line with its description after a tab, and last a directive. A cluster that does not
// answer gives no names, because a shell shows no error here.
import type { Command } from 'commander'
import {
  type Candidate,
  type Completion,
  completionCandidates,
  type NameKind,
  starting,
} from '../cmd/completionCandidates.ts'

const directives = { files: ':0', nothing: ':4' } as const // cobra's: complete files, or nothing

export async function printCompletions(program: Command, words: readonly string[]): Promise<void> {
  const completion = completionCandidates(program, words)
  const candidates = [
    ...completion.candidates,
    ...starting(await namesFor(completion).catch(() => []), words.at(-1) ?? ''),
  ]
  const lines = candidates.map(({ text, about }) => (about ? `${text}\t${about}` : text))
  process.stdout.write(
    `${[...lines, completion.isFile ? directives.files : directives.nothing].join('\n')}\n`,
  )
}

async function namesFor({ names }: Completion): Promise<Candidate[]> {
  if (!names) return []
  const { kind, prefix, options } = names
  return (await namesOf(kind, options)).map(candidate => ({
    ...candidate,
    text: `${prefix}${candidate.text}`,
  }))
}

type Item = {
  readonly metadata: { readonly name: string }
  readonly status?: {
    readonly state?: string
    readonly phase?: string
    readonly files?: readonly { readonly node: string }[]
  }
}

async function namesOf(
  kind: NameKind,
  options: Readonly<Record<string, string>>,
): Promise<Candidate[]> {
  if (kind === 'context' || kind === 'cluster' || kind === 'user') {
    const { namesIn } = await import('../kube/kubeconfig/connect.ts')
    return (await namesIn(options.kubeconfig, `${kind}s`)).map(text => ({ text }))
  }
  const { request, capturesPath, openSession } = await import('./client/session.ts')
  const session = await openSession(options)
  const within = `namespaces/${session.namespace}`
  const path = {
    capture: capturesPath(session, session.namespace),
    pod: `/api/v1/${within}/pods`,
    deployment: `/apis/apps/v1/${within}/deployments`,
    service: `/api/v1/${within}/services`,
    namespace: '/api/v1/namespaces',
    node: capturesPath(session, session.namespace), // nodes that have files: needs no right on nodes
  }[kind]
  const { items } = await request<{ readonly items: readonly Item[] }>(session.kube, {
    path,
    what: `list names of ${kind}`,
  })
  if (kind === 'node')
    return [
      ...new Set(items.flatMap(({ status }) => status?.files ?? []).map(({ node }) => node)),
    ].map(text => ({ text }))
  return items.map(({ metadata, status }) => {
    const about = status?.state ?? status?.phase
    return { text: metadata.name, ...(about !== undefined && { about }) }
  })
}
