import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { serverInPod } from '../../../src/kube/serviceAccount.ts'

test('outside a pod there is no service account', t => {
  t.is(serverInPod({}), undefined)
  t.is(serverInPod({ KUBERNETES_SERVICE_HOST: '10.0.0.1' }, '/none'), undefined)
})

test('in a pod the address may be one of IPv6', t => {
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }
  const folder = mkdtempSync(join(tmpdir(), 'selcap-account-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'token'), 'x')
  t.like(serverInPod(env, folder), { server: 'https://[fd00::1]:6443' })
})
