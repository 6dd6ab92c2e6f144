// Chooses the cluster, the user and the namespace by kubectl's rules. Pure. In: a kubeconfig,
// kubectl's flags for the connection, the environment. Out: where to connect, as whom. A flag goes
// before the kubeconfig, and what nothing names is a server on this machine, as kubectl has it.
// Refuses with CommandFailure what kubectl refuses.
import { CommandFailure } from '../../model/errors.ts'
import type { Cluster, Context, Kubeconfig, User } from './parse.ts'

/** kubectl's global flags, under the names that commander gives them. */
export type ConnectionFlags = {
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
  readonly cluster?: string | undefined
  readonly user?: string | undefined
  readonly namespace?: string | undefined
  readonly server?: string | undefined
  readonly token?: string | undefined
  readonly as?: string | undefined
  readonly asGroup?: readonly string[] | undefined
  readonly asUid?: string | undefined
  readonly asUserExtra?: readonly string[] | undefined
  readonly certificateAuthority?: string | undefined
  readonly clientCertificate?: string | undefined
  readonly clientKey?: string | undefined
  readonly insecureSkipTlsVerify?: boolean | undefined
  readonly tlsServerName?: string | undefined
  readonly requestTimeout?: string | undefined
}

export type Chosen = {
  readonly cluster: Cluster & { readonly server: string }
  readonly user: User
  readonly namespace: string
  readonly hasNamespace: boolean // a flag or the context names it
  readonly requestTimeoutMs: number // 0: as long as the request takes
  readonly isDefault: boolean // nothing names a server
}

const localServer = 'http://localhost:8080'

export function chooseConnection(
  config: Kubeconfig,
  flags: ConnectionFlags,
  env: NodeJS.ProcessEnv,
): Chosen {
  const context = contextOf(config, flags)
  const userName = flags.user || context.user || ''
  const clusterName = flags.cluster || context.cluster || ''
  if (flags.user && !config.users.has(userName)) refuse(`the user "${userName}" does not exist`, config.users) // biome-ignore format: one line
  if (flags.cluster && !config.clusters.has(clusterName)) refuse(`the cluster "${clusterName}" does not exist`, config.clusters) // biome-ignore format: one line
  const user = userWith(config.users.get(userName) ?? {}, flags)
  const named = config.clusters.get(clusterName) ?? {}
  const cluster = { ...clusterWith(named, flags), server: serverOf(named, flags, env) }
  const problem = problemOfUser(user, userName) ?? problemOfCluster(cluster, clusterName)
  if (problem !== undefined) refuse(problem)
  const namespace = flags.namespace || context.namespace
  return {
    cluster,
    user,
    namespace: namespace ?? 'default',
    hasNamespace: namespace !== undefined,
    requestTimeoutMs: timeoutMsOf(flags.requestTimeout),
    isDefault: !flags.server && !named.server,
  }
}

function contextOf(config: Kubeconfig, { context }: ConnectionFlags): Context {
  const name = context || config.currentContext
  const found = config.contexts.get(name)
  if (found) return found
  if (name === '') return {}
  refuse(`the context "${name}" does not exist`, config.contexts)
}

function serverOf(named: Cluster, flags: ConnectionFlags, env: NodeJS.ProcessEnv): string {
  const given = flags.server || named.server || env.KUBERNETES_MASTER || localServer
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `http://${given}`
  try {
    const { protocol, origin, pathname } = new URL(whole)
    if (protocol === 'http:' || protocol === 'https:')
      return `${origin}${pathname.replace(/\/+$/, '')}`
  } catch {
    // refused below, with what is no address of this kind
  }
  refuse(`the server "${given}" is no address: expected https://name:port`)
}

function clusterWith(named: Cluster, flags: ConnectionFlags): Cluster {
  const { insecureSkipTlsVerify = false, certificateAuthority = '' } = flags
  const { certificateAuthority: _, certificateAuthorityData: __, insecureSkipTlsVerify: ___, tlsServerName, ...rest } = named // biome-ignore format: one line
  const trusted =
    insecureSkipTlsVerify || certificateAuthority
      ? { insecureSkipTlsVerify, ...(certificateAuthority && { certificateAuthority }) }
      : named
  // The name in the kubeconfig is not another server's.
  const name = flags.tlsServerName || flags.server ? flags.tlsServerName : tlsServerName
  return { ...rest, ...trustOf(trusted), ...(name && { tlsServerName: name }) }
}

function trustOf({
  certificateAuthority,
  certificateAuthorityData,
  insecureSkipTlsVerify,
}: Cluster): Cluster {
  // biome-ignore format: one line
  return {
    ...(certificateAuthority && { certificateAuthority }),
    ...(certificateAuthorityData && { certificateAuthorityData }),
    ...(insecureSkipTlsVerify && { insecureSkipTlsVerify }),
  }
}

function userWith(named: User, flags: ConnectionFlags): User {
  const { clientCertificate, clientCertificateData, clientKey, clientKeyData, ...rest } = named
  const certificate = flags.clientCertificate
    ? { clientCertificate: flags.clientCertificate }
    : { ...(clientCertificate && { clientCertificate }), ...(clientCertificateData && { clientCertificateData }) } // biome-ignore format: one line
  const key = flags.clientKey
    ? { clientKey: flags.clientKey }
    : { ...(clientKey && { clientKey }), ...(clientKeyData && { clientKeyData }) }
  return {
    ...rest,
    ...certificate,
    ...key,
    ...(flags.token && { token: flags.token }),
    ...(flags.as && { as: flags.as }),
    ...(flags.asUid && { asUid: flags.asUid }),
    ...(flags.asGroup?.length && { asGroups: flags.asGroup }),
    ...(flags.asUserExtra?.length && {
      asUserExtra: { ...named.asUserExtra, ...extraOf(flags.asUserExtra) },
    }),
  }
}

/** Of "key=value", which may be given again; a word without "=" is passed over, as by kubectl. */
function extraOf(given: readonly string[]): Record<string, readonly string[]> {
  const pairs = given
    .map(each => /^([^=]*)=(.*)$/s.exec(each))
    .flatMap(found => (found ? [[found[1] ?? '', found[2] ?? ''] as const] : []))
  const byKey = Map.groupBy(pairs, ([key]) => key)
  return Object.fromEntries([...byKey].map(([key, all]) => [key, all.map(([, value]) => value)]))
}

function problemOfUser(user: User, name: string): string | undefined {
  const of = name === '' ? '' : ` of the user "${name}"`
  const hasCertificate = user.clientCertificate || user.clientCertificateData
  if (hasCertificate) {
    if (user.clientCertificate && user.clientCertificateData)
      return `client-certificate and client-certificate-data${of} are both given`
    if (user.clientKey && user.clientKeyData)
      return `client-key and client-key-data${of} are both given`
    if (!user.clientKey && !user.clientKeyData)
      return `the client certificate${of} has no client-key`
  }
  if (user.token && (user.username || user.password))
    return `a token and a password${of} are both given`
  const hasMore =
    user.asUid || user.asGroups?.length || Object.keys(user.asUserExtra ?? {}).length > 0
  if (hasMore && !user.as)
    return `a group, uid or extra to impersonate${of} has no user: expected --as`
  return user.exec && problemOfPlugin(user, of)
}

function problemOfPlugin({ exec, authProvider }: User, of: string): string | undefined {
  if (authProvider) return `exec and auth-provider${of} are both given`
  if (!exec?.command) return `the credential plugin${of} has no command`
  if (!exec.apiVersion) return `the credential plugin${of} has no apiVersion`
  if (exec.env.some(({ name }) => name === ''))
    return `a variable of the credential plugin${of} has no name`
  if (['Never', 'IfAvailable', 'Always'].includes(exec.interactiveMode)) return undefined
  return `the interactiveMode "${exec.interactiveMode}" of the credential plugin${of} is unknown: expected Never, IfAvailable or Always`
}

function problemOfCluster(cluster: Cluster, name: string): string | undefined {
  const of = name === '' ? '' : ` of the cluster "${name}"`
  if (cluster.certificateAuthority && cluster.certificateAuthorityData)
    return `certificate-authority and certificate-authority-data${of} are both given`
  const hasAuthority = cluster.certificateAuthority || cluster.certificateAuthorityData
  if (cluster.insecureSkipTlsVerify && hasAuthority)
    return `a certificate authority and insecure-skip-tls-verify${of} are both given`
  if (cluster.proxyUrl && !/^(https?|socks5h?):\/\//.test(cluster.proxyUrl))
    return `the proxy-url "${cluster.proxyUrl}"${of} is of no kind that can be used: expected http, https or socks5`
  return undefined
}

/** Seconds, or Go's durations such as 1m30s. */
function timeoutMsOf(given = '0'): number {
  if (/^\d+$/.test(given)) return Number(given) * 1_000
  const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
  const parts = [...given.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  if (parts.length > 0 && parts.map(([part]) => part).join('') === given)
    return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (unitMs[unit] ?? 0), 0)
  refuse(`--request-timeout "${given}" is no duration: expected seconds, or 10s, 2m, 1h`)
}

function refuse(problem: string, among?: ReadonlyMap<string, unknown>): never {
  const choice = among
    ? `: expected one of ${[...among.keys()].join(', ') || 'none, there is none in the kubeconfig'}`
    : ''
  throw new CommandFailure('usage', `Cannot use the kubeconfig: ${problem}${choice}`)
}
