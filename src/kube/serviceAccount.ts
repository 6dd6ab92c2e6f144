// What a pod finds of its service account. In: the environment and the files that kubelet mounts.
// Out: the API server's address and the files; undefined outside a pod, or without an account.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export type Account = {
  readonly server: string
  readonly tokenFile: string
  readonly caFile: string
}

export const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

export function serverInPod(
  env: NodeJS.ProcessEnv = process.env,
  folder = accountFolder,
): Account | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
  const tokenFile = join(folder, 'token')
  if (!host || !existsSync(tokenFile)) return undefined // a pod may have no service account
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    tokenFile,
    caFile: join(folder, 'ca.crt'),
  }
}
