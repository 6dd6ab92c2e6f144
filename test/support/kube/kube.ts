// A kubeconfig's connection for tests that want one at once: it is made with the first request.
import { connectKube } from '../../../src/kube/connect.ts'
import type { Kube } from '../../../src/kube/request.ts'

export function kubeOf(kubeconfig: string): Kube {
  const connecting = connectKube(kubeconfig)
  return async request => (await connecting)(request)
}
