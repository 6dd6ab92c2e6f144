// Who sends a request: token, password, client certificate, credential plugin or OpenID provider,
// and whom it acts as. In: the chosen cluster and user. Out: headers and a client certificate for
// each request, and new ones where the API server refused the last. Sends none without TLS, as
// kubectl. Refuses with ExpectedError what gives no credentials.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { ExpectedError, osErrorMessage } from '../../model/errors.ts'
import { environmentProxy } from '../httpProxy.ts'
import type { Chosen } from './choose.ts'
import { CredentialPlugin, type PluginCluster, type PluginCredentials } from './credentialPlugin.ts'
import type { Impersonation } from './headers.ts'
import { OidcProvider } from './oidc.ts'
import type { User } from './parse.ts'
import { clientCertificateOf, type TlsOptions } from './transport.ts'

export type Credentials = {
  readonly token?: string
  readonly basic?: string // user and password, encoded
  readonly certificate: Pick<TlsOptions, 'cert' | 'key'>
  readonly given?: PluginCredentials // by a plugin, which can be asked again
}

export class CredentialSource {
  readonly #chosen: Chosen
  readonly #isSent: boolean
  readonly #certificate: Pick<TlsOptions, 'cert' | 'key'>
  readonly #plugin: CredentialPlugin | undefined
  readonly #provider: OidcProvider | undefined

  constructor(chosen: Chosen, userName: string) {
    this.#chosen = chosen
    const { user, cluster } = chosen
    this.#isSent = cluster.server.startsWith('https:')
    this.#certificate = this.#isSent ? clientCertificateOf(chosen) : {}
    const hasOwn = user.token || user.tokenFile || user.username || this.#certificate.cert
    if (!this.#isSent || hasOwn) return
    if (user.exec) this.#plugin = new CredentialPlugin(user.exec, pluginClusterOf(chosen))
    if (user.authProvider?.name === 'oidc')
      this.#provider = new OidcProvider(user.authProvider, user, userName)
    else if (user.authProvider)
      throw new ExpectedError(
        `Cannot use the auth-provider "${user.authProvider.name}": kubectl has none of that name any more, expected a credential plugin (exec)`,
      )
  }

  async credentials(): Promise<Credentials> {
    if (!this.#isSent) return { certificate: {} }
    if (this.#plugin) return ofPlugin(await this.#plugin.credentials())
    if (this.#provider) return { token: await this.#provider.token(), certificate: {} }
    const token = await tokenOf(this.#chosen.user)
    const basic = basicOf(this.#chosen.user)
    return {
      certificate: this.#certificate,
      ...(token && { token }),
      ...(basic !== undefined && { basic }),
    }
  }

  /** After a 401; undefined: there are no others. */
  async renewed({ given }: Credentials): Promise<Credentials | undefined> {
    return given && this.#plugin ? ofPlugin(await this.#plugin.renew(given)) : undefined
  }
}

/** Whom the user acts as; undefined: as themselves. */
export function impersonationOf({ user }: Chosen): Impersonation | undefined {
  if (!user.as) return undefined
  return {
    user: user.as,
    ...(user.asUid && { uid: user.asUid }),
    groups: user.asGroups ?? [],
    extra: user.asUserExtra ?? {},
  }
}

export function authorizationOf({ token, basic }: Credentials): string | undefined {
  if (token !== undefined) return `Bearer ${token}`
  return basic === undefined ? undefined : `Basic ${basic}`
}

function ofPlugin(given: PluginCredentials): Credentials {
  const { token, certificate, key } = given
  return {
    certificate: certificate && key ? { cert: certificate, key } : {},
    ...(token && { token }),
    given,
  }
}

// A file that is there goes before the token beside it: so does client-go.
async function tokenOf({ token, tokenFile }: User): Promise<string | undefined> {
  if (!tokenFile) return token
  try {
    const found = (await readFile(tokenFile, 'utf8')).trim()
    if (found) return found
    if (token) return token
    throw new ExpectedError(`Cannot use the token file "${tokenFile}": it is empty`)
  } catch (error) {
    if (token) return token
    if (error instanceof ExpectedError) throw error
    throw new ExpectedError(`Cannot use the token file: ${osErrorMessage(error)}`, { cause: error })
  }
}

function basicOf({ username = '', password = '' }: User): string | undefined {
  if (username === '' && password === '') return undefined
  return Buffer.from(`${username}:${password}`).toString('base64')
}

function pluginClusterOf({ cluster }: Chosen): PluginCluster {
  const { certificateAuthority: file, certificateAuthorityData: data } = cluster
  const proxy = cluster.proxyUrl || environmentProxy(cluster.server, process.env)
  return {
    server: cluster.server,
    ...(cluster.tlsServerName && { 'tls-server-name': cluster.tlsServerName }),
    ...(cluster.insecureSkipTlsVerify && { 'insecure-skip-tls-verify': true }),
    ...(data && { 'certificate-authority-data': data }),
    ...(file && { 'certificate-authority-data': readFileSync(file).toString('base64') }),
    ...(proxy && { 'proxy-url': proxy }),
    ...(cluster.disableCompression && { 'disable-compression': true }),
    config: cluster.execConfig ?? null,
  }
}
