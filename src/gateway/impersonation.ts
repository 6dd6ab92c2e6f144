// Whom a request acts as, as the API server has it. In: the request's headers and who sends it. Out:
// the user to act as, once the API server said that the sender may impersonate that user and each
// group, uid and extra; else a refusal. The API server's proxy consumes Impersonate-User, so there
// is a second name.
import type { IncomingMessage } from 'node:http'
import type { Reviews, Right, User } from '../auth/reviews.ts'

/** `refused`: a whole sentence. */
export type Acting = { readonly user: User } | { readonly refused: string }

type Headers = IncomingMessage['headersDistinct']

const prefixes = ['impersonate-', 'x-selcap-impersonate-'] as const
const rightsMax = 64 // each is a question to the API server
const authentication = 'authentication.k8s.io'

/** undefined: as themselves. */
export function actingUser(headers: Headers): User | undefined | { readonly refused: string } {
  const used = prefixes.filter(prefix => Object.keys(headers).some(name => name.startsWith(prefix)))
  const [prefix] = used
  if (prefix === undefined) return undefined
  const valuesOf = (name: string) => headers[`${prefix}${name}`] ?? []
  const [username = '', ...others] = valuesOf('user')
  if (used.length > 1 || username === '' || others.length > 0)
    return { refused: 'Cannot tell whom to act as: expected one user to impersonate' }
  const [uid] = valuesOf('uid')
  const extras = Object.keys(headers).filter(name => name.startsWith(`${prefix}extra-`))
  return {
    username,
    groups: [...valuesOf('group')],
    ...(uid !== undefined && { uid }),
    extra: Object.fromEntries(
      extras.map(name => [keyOf(name.slice(`${prefix}extra-`.length)), headers[name] ?? []]),
    ),
  }
}

/** As the API server does it: a right for each part, and the groups that everybody has. */
export async function impersonated(sender: User, wanted: User, reviews: Reviews): Promise<Acting> {
  const rights = rightsFor(wanted)
  if (rights.length > rightsMax)
    return { refused: `Cannot act as "${wanted.username}": ${rights.length} groups and extras, expected at most ${rightsMax}` } // biome-ignore format: one line
  const answers = await Promise.all(rights.map(right => reviews.may(sender, right)))
  const missing = rights.find((_, index) => !answers[index])
  if (missing)
    return { refused: `User "${sender.username}" may not impersonate ${missing.resource} "${missing.name}"` } // biome-ignore format: one line
  return { user: { ...wanted, groups: groupsOf(wanted) } }
}

function rightsFor({ username, uid, groups = [], extra = {} }: User): Right[] {
  const may = (resource: string, name: string, more: Partial<Right> = {}): Right => ({
    verb: 'impersonate',
    group: '',
    namespace: '',
    resource,
    name,
    ...more,
  })
  const account = accountOf(username)
  return [
    account ? may('serviceaccounts', account.name, { namespace: account.namespace }) : may('users', username), // biome-ignore format: one line
    ...groups.map(name => may('groups', name)),
    ...(uid === undefined ? [] : [may('uids', uid, { group: authentication })]),
    ...Object.entries(extra).flatMap(([subresource, values]) =>
      values.map(name => may('userextras', name, { group: authentication, subresource })),
    ),
  ]
}

function groupsOf({ username, groups = [] }: User): string[] {
  const namespace = accountOf(username)?.namespace
  const own =
    namespace === undefined || groups.length > 0
      ? groups
      : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
  const everybody = username === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated' // biome-ignore format: one line
  return [...new Set([...own, everybody])]
}

function accountOf(
  username: string,
): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username) ?? []
  return namespace === undefined || name === undefined ? undefined : { namespace, name }
}

function keyOf(escaped: string): string {
  try {
    return decodeURIComponent(escaped)
  } catch {
    return escaped // no percent-encoding: the key as it stands
  }
}
