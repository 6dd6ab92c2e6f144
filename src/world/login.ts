// Where the API server is, and how a request says who asks. In: a kubeconfig's path, or nothing. Out: a login.
// In a pod it is the pod's service account, read anew for each request: its token and authority rotate in their files.
// Everywhere else client-node reads kubeconfigs, with all their ways to log in; it is loaded only then, for its size.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { join } from 'node:path'
import type { KubeConfig } from '@kubernetes/client-node'
import { UsageError } from '../errors.ts'

export type Login = {
  readonly server: string
  /** Adds to a request what proves who asks. */
  readonly authorize: (options: RequestOptions & { readonly headers: Record<string, string> }) => Promise<void>
}

export const accountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount'

/** From a file; else from the pod's service account, $KUBECONFIG or the home directory. Refuses with UsageError. */
export async function loadLogin(file: string | undefined): Promise<Login> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  if (file === undefined && host && existsSync(join(accountDirectory, 'token'))) return accountLogin({ host, port })
  const { KubeConfig } = await import('@kubernetes/client-node')
  try {
    const config = new KubeConfig()
    if (file === undefined) config.loadFromDefault()
    else config.loadFromFile(file)
    return configLogin(config)
  } catch (error) {
    throw new UsageError(`Cannot use the kubeconfig${file === undefined ? '' : ` "${file}"`}: ${(error as Error).message}`)
  }
}

type Account = { readonly host: string; readonly port: string; readonly directory?: string }

export function accountLogin({ host, port, directory = accountDirectory }: Account): Login {
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async authorize(options) {
      const [token, ca] = await Promise.all([readFile(join(directory, 'token'), 'utf8'), readFile(join(directory, 'ca.crt'))])
      options.headers.authorization = `Bearer ${token.trim()}`
      Object.assign(options, { ca, agent: false })
    },
  }
}

function configLogin(config: KubeConfig): Login {
  const server = config.getCurrentCluster()?.server
  if (server === undefined) throw new Error('expected a current context with a cluster')
  return { server: server.replace(/\/$/, ''), authorize: options => config.applyToHTTPSOptions(options) }
}
