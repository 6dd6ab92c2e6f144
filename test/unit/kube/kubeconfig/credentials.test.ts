import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { Chosen } from '../../../../src/kube/kubeconfig/choose.ts'
import { authorizationOf, CredentialSource, impersonationOf } from '../../../../src/kube/kubeconfig/credentials.ts' // biome-ignore format: one line

const chosen = (user: Chosen['user'], server = 'https://a.test'): Chosen => ({
  cluster: { server, insecureSkipTlsVerify: true },
  user,
  namespace: 'default',
  hasNamespace: false,
  requestTimeoutMs: 0,
  isDefault: false,
})
const headerOf = async (user: Chosen['user'], server?: string) =>
  authorizationOf(await new CredentialSource(chosen(user, server), 'me').credentials())

test('a token file is read for each request, and goes before a token', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-token-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const tokenFile = join(directory, 'token')
  writeFileSync(tokenFile, 'one\n')
  const source = new CredentialSource(chosen({ token: 'old', tokenFile }), 'me')
  t.is((await source.credentials()).token, 'one')
  writeFileSync(tokenFile, 'two')
  t.is((await source.credentials()).token, 'two')
  rmSync(tokenFile)
  t.is((await source.credentials()).token, 'old')
  await t.throwsAsync(headerOf({ tokenFile }), { message: /^Cannot use the token file: ENOENT/ })
})

test('a password is sent as such, and nothing is sent without TLS', async t => {
  t.is(await headerOf({ username: 'u', password: 'p' }), `Basic ${btoa('u:p')}`)
  t.is(await headerOf({ token: 'x' }), 'Bearer x')
  t.is(await headerOf({ token: 'x' }, 'http://a.test'), undefined)
})

test('a provider that kubectl has no more is refused', t =>
  void t.throws(() => new CredentialSource(chosen({ authProvider: { name: 'gcp', config: {} } }), 'me'), { message: /auth-provider "gcp"/ })) // biome-ignore format: one line

test('who acts as nobody has no impersonation', t => {
  t.is(impersonationOf(chosen({})), undefined)
  t.deepEqual(impersonationOf(chosen({ as: 'bob' })), { user: 'bob', groups: [], extra: {} })
})
