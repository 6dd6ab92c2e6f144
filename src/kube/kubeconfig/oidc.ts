// A user's token of an OpenID provider, as client-go's auth-provider "oidc" has it. In: the
// kubeconfig's entry. Out: the ID token; an expired one is exchanged, and the new tokens are written
// into the kubeconfig, since a provider may take the old refresh token back. Refuses with
// ExpectedError a provider that gives none.
import { once } from 'node:events'
import { readFileSync, readlinkSync, statSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { dirname, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { isMap, isSeq, parseDocument } from 'yaml'
import { ExpectedError, osErrorMessage } from '../../model/errors.ts'
import { atomicWriteSync } from '../../runtime/atomicWrite.ts'
import type { AuthProvider, User } from './parse.ts'

type Tokens = { readonly id_token?: string; readonly refresh_token?: string }

const marginMs = 10_000 // client-go's
const answerMs = 30_000

export class OidcProvider {
  readonly #userName: string
  readonly #file: string | undefined
  #config: AuthProvider['config']
  #asked: Promise<string> | undefined

  constructor({ config }: AuthProvider, { file }: User, userName: string) {
    this.#config = config
    this.#file = file
    this.#userName = userName
    for (const key of ['idp-issuer-url', 'client-id'])
      if (!config[key]) throw new ExpectedError(`Cannot use the auth-provider: ${key} is missing`)
  }

  token(): Promise<string> {
    const known = this.#config['id-token']
    if (known && endMsOf(known) > Date.now() + marginMs) return Promise.resolve(known)
    this.#asked ??= this.#exchange().finally(() => {
      this.#asked = undefined
    })
    return this.#asked
  }

  async #exchange(): Promise<string> {
    const {
      'refresh-token': old,
      'client-id': id = '',
      'client-secret': secret = '',
    } = this.#config
    if (!old) refuse('the id-token has expired, and there is no refresh-token')
    const issuer = this.#config['idp-issuer-url']?.replace(/\/$/, '')
    const { token_endpoint: endpoint } = await this.#ask<{ token_endpoint?: string }>(
      `${issuer}/.well-known/openid-configuration`,
    )
    if (!endpoint) refuse('the provider names no token_endpoint')
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: old })
    const found = await this.#ask<Tokens>(endpoint, form, { id, secret })
    if (!found.id_token) refuse('the provider gave no id_token')
    this.#config = {
      ...this.#config,
      'id-token': found.id_token,
      'refresh-token': found.refresh_token || old,
    }
    if (this.#file !== undefined) persistTokens(this.#file, this.#userName, this.#config)
    return found.id_token
  }

  async #ask<T>(
    url: string,
    form?: URLSearchParams,
    client?: { readonly id: string; readonly secret: string },
  ): Promise<T> {
    const authorization =
      client && `Basic ${Buffer.from(`${encodeURIComponent(client.id)}:${encodeURIComponent(client.secret)}`).toString('base64')}` // biome-ignore format: one line
    const sent = request(url, {
      method: form ? 'POST' : 'GET',
      signal: AbortSignal.timeout(answerMs),
      ...this.#authority(),
      headers: {
        accept: 'application/json',
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...(authorization !== undefined && { authorization }),
      },
    })
    sent.end(form?.toString())
    const [response] = (await once(sent, 'response').catch(error =>
      refuse(`${url} did not answer: ${(error as Error).message}`),
    )) as [IncomingMessage]
    const said = await text(response)
    if (response.statusCode !== 200)
      refuse(`${url} answered ${response.statusCode}: ${said.slice(0, 80)}`)
    try {
      return JSON.parse(said) as T
    } catch {
      return refuse(`${url} answered no JSON`)
    }
  }

  #authority(): { readonly ca?: string | Buffer } {
    const { 'idp-certificate-authority': file, 'idp-certificate-authority-data': data } =
      this.#config
    if (data) return { ca: Buffer.from(data, 'base64') }
    try {
      return file ? { ca: readFileSync(file) } : {}
    } catch (error) {
      return refuse(osErrorMessage(error))
    }
  }
}

/** Of the claim "exp". */
function endMsOf(token: string): number {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      readonly exp?: number
    }
    return (claims.exp ?? 0) * 1_000
  } catch {
    return refuse('the id-token is no JWT')
  }
}

/** Keeps what else is in the file, with its comments. */
export function persistTokens(
  file: string,
  userName: string,
  config: AuthProvider['config'],
): void {
  try {
    const document = parseDocument(readFileSync(file, 'utf8'), { uniqueKeys: false })
    const users = document.get('users')
    const index = isSeq(users)
      ? users.items.findIndex(each => isMap(each) && each.get('name') === userName)
      : -1
    if (index < 0) refuse(`"${file}" has no user "${userName}" any more`)
    for (const key of ['id-token', 'refresh-token'])
      document.setIn(['users', index, 'user', 'auth-provider', 'config', key], config[key])
    const target = targetOf(file)
    atomicWriteSync(target, document.toString(), {
      isLasting: false,
      mode: statSync(target).mode & 0o777,
      temporary: `${target}.${process.pid}.tmp`, // two commands at once write one each
    })
  } catch (error) {
    if (error instanceof ExpectedError) throw error
    refuse(`the new tokens cannot be kept: ${osErrorMessage(error)}`)
  }
}

function targetOf(file: string): string {
  try {
    return resolve(dirname(file), readlinkSync(file))
  } catch {
    return file // no link
  }
}

function refuse(problem: string): never {
  throw new ExpectedError(`Cannot get a token of the OpenID provider: ${problem}`)
}
