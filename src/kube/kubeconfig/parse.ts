// Reads the text of one kubeconfig by client-go's rules: YAML or JSON, fields it does not know are
// passed over, a name may be defined once. In: the text and the file's name. Out: its clusters,
// users and contexts, with paths relative to the file made absolute. Refuses with ExpectedError
// what client-go refuses: another kind, a wrong type, a name twice.
import { dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { ExpectedError } from '../../model/errors.ts'

// `…Data` is base64, as in the file.
export type Cluster = {
  readonly server?: string
  readonly certificateAuthority?: string
  readonly certificateAuthorityData?: string
  readonly insecureSkipTlsVerify?: boolean
  readonly tlsServerName?: string
  readonly proxyUrl?: string
  readonly disableCompression?: boolean
  readonly execConfig?: unknown // the extension that is handed to a credential plugin
}

export type User = {
  readonly token?: string
  readonly tokenFile?: string
  readonly username?: string
  readonly password?: string
  readonly clientCertificate?: string
  readonly clientCertificateData?: string
  readonly clientKey?: string
  readonly clientKeyData?: string
  readonly as?: string
  readonly asUid?: string
  readonly asGroups?: readonly string[]
  readonly asUserExtra?: Readonly<Record<string, readonly string[]>>
  readonly exec?: ExecPlugin
  readonly authProvider?: AuthProvider
  readonly file?: string // the kubeconfig that defines it
}

export type ExecPlugin = {
  readonly command: string
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly apiVersion: string
  readonly interactiveMode: string
  readonly provideClusterInfo: boolean
  readonly installHint: string
}

export type AuthProvider = {
  readonly name: string
  readonly config: Readonly<Record<string, string>>
}

export type Context = {
  readonly cluster?: string
  readonly user?: string
  readonly namespace?: string
}

export type Kubeconfig = {
  readonly currentContext: string // '' if no file names one
  readonly clusters: ReadonlyMap<string, Cluster>
  readonly users: ReadonlyMap<string, User>
  readonly contexts: ReadonlyMap<string, Context>
}

type Fields = Readonly<Record<string, unknown>>

const execExtension = 'client.authentication.k8s.io/exec'
const betaVersions = ['client.authentication.k8s.io/v1beta1', 'client.authentication.k8s.io/v1alpha1'] // biome-ignore format: one line

export function parseKubeconfig(text: string, file: string): Kubeconfig {
  const found = fieldsOf(text)
  const kind = textIn(found, 'kind')
  const version = textIn(found, 'apiVersion')
  if ((kind && kind !== 'Config') || (version && version !== 'v1'))
    throw new ExpectedError(`expected kind Config of v1, found ${kind || 'none'} of ${version || 'none'}`) // biome-ignore format: one line
  const directory = resolve(dirname(file))
  const at = (path: string | undefined) =>
    path && !isAbsolute(path) ? join(directory, path) : path
  return {
    currentContext: textIn(found, 'current-context') ?? '',
    clusters: named(found, 'clusters', 'cluster', each => clusterOf(each, at)),
    users: named(found, 'users', 'user', each => ({ ...userOf(each, at), file })),
    contexts: named(found, 'contexts', 'context', contextOf),
  }
}

function fieldsOf(text: string): Fields {
  // The first document only, and a key twice is no error: so does client-go's parser.
  const [document] = parseAllDocuments(text, { merge: true, uniqueKeys: false })
  if (!document || !('contents' in document)) return {}
  const [error] = document.errors
  if (error) throw new ExpectedError(error.message.split('\n')[0] ?? 'no YAML')
  return asFields(document.toJS() ?? {}, 'the file')
}

function named<T>(
  fields: Fields,
  list: string,
  key: string,
  read: (fields: Fields) => T,
): Map<string, T> {
  const found = new Map<string, T>()
  for (const entry of listIn(fields, list)) {
    const each = asFields(entry ?? {}, `an entry of ${list}`)
    const name = textIn(each, 'name') ?? ''
    if (found.has(name)) throw new ExpectedError(`${list} has the name "${name}" twice`)
    found.set(name, read(fieldsIn(each, key)))
  }
  return found
}

function clusterOf(fields: Fields, at: (path: string | undefined) => string | undefined): Cluster {
  const [extension] = listIn(fields, 'extensions')
    .map(each => asFields(each ?? {}, 'an extension'))
    .filter(each => each.name === execExtension)
  return defined({
    server: textIn(fields, 'server'),
    certificateAuthority: at(textIn(fields, 'certificate-authority')),
    certificateAuthorityData: textIn(fields, 'certificate-authority-data'),
    insecureSkipTlsVerify: flagIn(fields, 'insecure-skip-tls-verify'),
    tlsServerName: textIn(fields, 'tls-server-name'),
    proxyUrl: textIn(fields, 'proxy-url'),
    disableCompression: flagIn(fields, 'disable-compression'),
    execConfig: extension?.extension,
  })
}

function userOf(fields: Fields, at: (path: string | undefined) => string | undefined): User {
  const extra = Object.keys(fieldsIn(fields, 'as-user-extra'))
  return defined({
    token: textIn(fields, 'token'),
    tokenFile: at(textIn(fields, 'tokenFile')),
    username: textIn(fields, 'username'),
    password: textIn(fields, 'password'),
    clientCertificate: at(textIn(fields, 'client-certificate')),
    clientCertificateData: textIn(fields, 'client-certificate-data'),
    clientKey: at(textIn(fields, 'client-key')),
    clientKeyData: textIn(fields, 'client-key-data'),
    as: textIn(fields, 'as'),
    asUid: textIn(fields, 'as-uid'),
    asGroups: textsIn(fields, 'as-groups'),
    asUserExtra: Object.fromEntries(
      extra.map(key => [key, textsIn(fieldsIn(fields, 'as-user-extra'), key)]),
    ),
    exec: fields.exec ? execOf(fieldsIn(fields, 'exec'), at) : undefined,
    authProvider: fields['auth-provider']
      ? providerOf(fieldsIn(fields, 'auth-provider'))
      : undefined,
  })
}

function contextOf(fields: Fields): Context {
  return defined({
    cluster: textIn(fields, 'cluster'),
    user: textIn(fields, 'user'),
    namespace: textIn(fields, 'namespace'),
  })
}

function execOf(fields: Fields, at: (path: string | undefined) => string | undefined): ExecPlugin {
  const command = textIn(fields, 'command') ?? ''
  const apiVersion = textIn(fields, 'apiVersion') ?? ''
  const usual = betaVersions.includes(apiVersion) ? 'IfAvailable' : ''
  return {
    command: (command.includes(sep) ? at(command) : command) ?? '', // else it is found on the PATH
    args: textsIn(fields, 'args'),
    env: listIn(fields, 'env').map(each => {
      const pair = asFields(each ?? {}, 'a variable of exec')
      return { name: textIn(pair, 'name') ?? '', value: textIn(pair, 'value') ?? '' }
    }),
    apiVersion,
    interactiveMode: textIn(fields, 'interactiveMode') || usual,
    provideClusterInfo: flagIn(fields, 'provideClusterInfo') ?? false,
    installHint: textIn(fields, 'installHint') ?? '',
  }
}

function providerOf(fields: Fields): AuthProvider {
  const config = fieldsIn(fields, 'config')
  return {
    name: textIn(fields, 'name') ?? '',
    config: Object.fromEntries(Object.keys(config).map(key => [key, textIn(config, key) ?? ''])),
  }
}

function textIn(fields: Fields, key: string): string | undefined {
  const value = fields[key] ?? undefined
  if (value === undefined || typeof value === 'string') return value
  throw new ExpectedError(`${key}: expected a text, found ${JSON.stringify(value)}`)
}

function textsIn(fields: Fields, key: string): string[] {
  return listIn(fields, key).map((value, index) => textIn({ [key]: value }, key) ?? `${index}`)
}

// The parser of client-go takes the words of YAML 1.1.
function flagIn(fields: Fields, key: string): boolean | undefined {
  const value = fields[key] ?? undefined
  if (value === undefined || typeof value === 'boolean') return value
  if (typeof value === 'string' && /^(yes|no|on|off)$/i.test(value)) return /^(yes|on)$/i.test(value) // biome-ignore format: one line
  throw new ExpectedError(`${key}: expected true or false, found ${JSON.stringify(value)}`)
}

function listIn(fields: Fields, key: string): readonly unknown[] {
  const value = fields[key] ?? []
  if (Array.isArray(value)) return value
  throw new ExpectedError(`${key}: expected a list`)
}

function fieldsIn(fields: Fields, key: string): Fields {
  return asFields(fields[key] ?? {}, key)
}

function asFields(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new ExpectedError(`${what}: expected fields`)
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> }

/** Without the fields that are not set, since client-go merges field by field. */
function defined<T extends object>(fields: T): Defined<T> {
  const kept = Object.entries(fields).filter(
    ([, value]) => value !== undefined && value !== '' && value !== false,
  )
  return Object.fromEntries(kept) as Defined<T>
}
