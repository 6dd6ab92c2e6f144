// The administrator's client of the API server in a bench's cluster.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { forwardTo } from '../scripts/demo/forward.ts'
import { connectKube } from '../src/kube/connect.ts'
import { apiErrorMessage, type Kube } from '../src/kube/request.ts'
import type { SimulatedCluster } from '../test/support/kube/simulated.ts'
import type { Scope } from '../test/support/net/namespace.ts'

/** The API server listens in a network namespace: connections pass through a Unix socket. */
export async function connected(cluster: SimulatedCluster, scope: Scope): Promise<Kube> {
  const { api, directory } = cluster
  const { hostname, port } = new URL(api.url)
  const socket = join(directory, 'api.sock')
  cluster.forward('forward-api', socket, port)
  while (!existsSync(socket)) await after(20)
  const { server, port: here } = await forwardTo(socket)
  scope.teardown(() => server.close())
  const place = {
    server: `https://127.0.0.1:${here}`,
    'tls-server-name': hostname,
    'certificate-authority': api.caFile,
  }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'bench', cluster: place }],
    users: [{ name: 'bench', user: { token: api.token } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    'current-context': 'bench',
  }
  const file = join(directory, 'bench.kubeconfig')
  writeFileSync(file, JSON.stringify(config))
  return connectKube(file)
}

export async function ask(kube: Kube, method: string, path: string, body?: object): Promise<void> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const text = body === undefined ? {} : { body: JSON.stringify(body) }
  const response = await kube({
    path,
    method,
    headers: { 'content-type': type },
    ...text,
    signal: AbortSignal.timeout(30_000),
  })
  const said = await apiErrorMessage(response)
  if ((response.statusCode ?? 500) >= 300) throw new Error(`Cannot ${method} ${path}: ${said}`)
}
