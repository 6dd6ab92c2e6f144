import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { OidcProvider, persistTokens } from '../../../../src/kube/kubeconfig/oidc.ts'

const config = { 'idp-issuer-url': 'https://idp.test', 'client-id': 'me' }
const jwt = (exp: number) => `x.${Buffer.from(JSON.stringify({ exp })).toString('base64url')}.x`

test('a token that is valid is taken as it is', async t => {
  const token = jwt(4_000_000_000)
  const provider = new OidcProvider({ name: 'oidc', config: { ...config, 'id-token': token } }, {}, 'me') // biome-ignore format: one line
  t.is(await provider.token(), token)
})

test('an expired one without a refresh token is refused, and an entry without an issuer', async t => {
  const provider = new OidcProvider({ name: 'oidc', config: { ...config, 'id-token': jwt(1) } }, {}, 'me') // biome-ignore format: one line
  await t.throwsAsync(provider.token(), { message: /there is no refresh-token/ })
  t.throws(() => new OidcProvider({ name: 'oidc', config: {} }, {}, 'me'), { message: /idp-issuer-url is missing/ }) // biome-ignore format: one line
})

test('new tokens go into the file that a link leads to; what else is there stays, and its rights', t => {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-oidc-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'real')
  const text = '# mine\nusers:\n- name: other\n- name: me\n  user: {auth-provider: {name: oidc, config: {id-token: old, client-id: x}}}\n' // biome-ignore format: one line
  writeFileSync(file, text, { mode: 0o640 })
  const link = join(directory, 'config')
  symlinkSync('real', link)
  persistTokens(link, 'me', { 'id-token': 'new', 'refresh-token': 'next' })
  const found = readFileSync(file, 'utf8')
  t.regex(found, /^# mine\n/)
  t.regex(found, /id-token: new[\s\S]*client-id: x[\s\S]*refresh-token: next/)
  t.is(statSync(file).mode & 0o777, 0o640)
  t.throws(() => persistTokens(link, 'gone', {}), { message: /has no user "gone" any more/ })
})
