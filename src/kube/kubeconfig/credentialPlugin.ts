// Runs a credential plugin as client-go does. In: the kubeconfig's exec entry, the cluster. Out: a
// token, a client certificate or both, kept until they expire or are refused. Refuses with
// ExpectedError a plugin that fails, or that answers in another version or without credentials. The
// plugin's own words go to standard error.
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { ExpectedError } from '../../model/errors.ts'
import type { ExecPlugin } from './parse.ts'

/** `certificate` and `key` are PEM. */
export type PluginCredentials = {
  readonly token?: string
  readonly certificate?: string
  readonly key?: string
}

/** The cluster as a plugin with provideClusterInfo is told of it. */
export type PluginCluster = Readonly<Record<string, unknown>>

type ExecCredential = {
  readonly apiVersion?: string
  readonly kind?: string
  readonly status?: {
    readonly token?: string
    readonly clientCertificateData?: string
    readonly clientKeyData?: string
    readonly expirationTimestamp?: string
  }
}

export class CredentialPlugin {
  readonly #plugin: ExecPlugin
  readonly #cluster: PluginCluster
  #asked: Promise<PluginCredentials & { readonly endMs: number }> | undefined

  constructor(plugin: ExecPlugin, cluster: PluginCluster) {
    this.#plugin = plugin
    this.#cluster = cluster
  }

  async credentials(): Promise<PluginCredentials> {
    const asked = this.#asked
    if (asked && Date.now() <= (await asked).endMs) return asked
    if (asked === this.#asked) this.#ask()
    return this.#asked ?? this.credentials()
  }

  /** Asks once more, unless that was done since `refused` were given. */
  async renew(refused: PluginCredentials): Promise<PluginCredentials> {
    const known = await this.#asked
    if (known === refused) this.#ask()
    return this.credentials()
  }

  #ask(): void {
    const asked = this.#run()
    this.#asked = asked
    asked.catch(() => {
      if (this.#asked === asked) this.#asked = undefined // the caller gets the error
    })
  }

  async #run(): Promise<PluginCredentials & { readonly endMs: number }> {
    const { command, args, apiVersion } = this.#plugin
    const isInteractive = this.#isInteractive()
    const child = spawn(command, args, {
      env: { ...process.env, ...this.#environment(isInteractive) },
      stdio: [isInteractive ? 'inherit' : 'ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise<string | undefined>(resolve => {
      child.once('error', error => resolve(this.#notStarted(error)))
      child.once('close', (code, signal) =>
        resolve(code === 0 ? undefined : `it ended with ${signal ?? `exit code ${code}`}`),
      )
    })
    const [said, problem] = await Promise.all([text(child.stdout), ended])
    if (problem !== undefined) this.#refuse(problem)
    return this.#read(said, apiVersion)
  }

  #isInteractive(): boolean {
    const { interactiveMode } = this.#plugin
    const hasTerminal = process.stdin.isTTY === true
    if (interactiveMode === 'Always' && !hasTerminal)
      this.#refuse('it needs a terminal, and standard input is none')
    return interactiveMode !== 'Never' && hasTerminal
  }

  #environment(isInteractive: boolean): Record<string, string> {
    const { apiVersion, env, provideClusterInfo } = this.#plugin
    const spec = {
      ...(provideClusterInfo && { cluster: this.#cluster }),
      interactive: isInteractive,
    }
    const info = { kind: 'ExecCredential', apiVersion, spec }
    return {
      ...Object.fromEntries(env.map(({ name, value }) => [name, value])),
      KUBERNETES_EXEC_INFO: JSON.stringify(info),
    }
  }

  #read(said: string, wanted: string): PluginCredentials & { readonly endMs: number } {
    const { apiVersion, kind, status } = this.#parse(said)
    if (kind !== 'ExecCredential' || apiVersion !== wanted)
      this.#refuse(
        `it answered with ${kind} of ${apiVersion}, expected ExecCredential of ${wanted}`,
      )
    const { token, clientCertificateData: certificate, clientKeyData: key } = status ?? {}
    if (!token && !certificate && !key) this.#refuse('it gave neither a token nor a certificate')
    if (!certificate !== !key) this.#refuse('it gave a certificate or a key alone')
    const end = status?.expirationTimestamp
    return {
      ...(token && { token }),
      ...(certificate && key && { certificate, key }),
      endMs: end === undefined ? Number.POSITIVE_INFINITY : Date.parse(end),
    }
  }

  #parse(said: string): ExecCredential {
    try {
      return (JSON.parse(said) ?? {}) as ExecCredential
    } catch {
      return this.#refuse('its answer is no JSON')
    }
  }

  #notStarted({ message, code }: NodeJS.ErrnoException): string {
    const hint = this.#plugin.installHint
    return code === 'ENOENT' ? `there is no such program${hint && `\n\n${hint}`}` : message
  }

  #refuse(problem: string): never {
    throw new ExpectedError(
      `Cannot get credentials of the plugin "${this.#plugin.command}": ${problem}`,
    )
  }
}
