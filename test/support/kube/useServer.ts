// One API server for a test file, with selcap's resources and a namespace "shop", and requests to
// it as the administrator.
//   const server = useServer()                   server().api, server().kube
import { join } from 'node:path'
import test from 'ava'
import type { Kube } from '../../../src/kube/request.ts'
import { root } from '../repository.ts'
import { type ApiServer, startApiServer } from './apiServer.ts'
import { kubeOf } from './kube.ts'

export type Server = { readonly api: ApiServer; readonly kube: Kube }

export function useServer(): () => Server {
  const started: Server[] = []
  test.serial.before(async () => {
    const api = await startApiServer()
    started.push({ api, kube: kubeOf(api.kubeconfig) })
    await api.kubectl('apply', '-k', join(root, 'crds'))
    await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
    await api.kubectl('create', 'namespace', 'shop')
  })
  test.after.always(async () => {
    for (const { api } of started) await api.stop()
  })
  return () => {
    const [server] = started
    if (!server) throw new Error('Cannot test: no API server was started')
    return server
  }
}
