import { createHmac } from 'node:crypto'
import test from 'ava'
import type { SftpTarget } from '../../../../src/model/output.ts'
import { fingerprint, readHostKeys, typeOf } from '../../../../src/store/sftp/hostKeys.ts'

function keyOf(type: string, text: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(type.length)
  return Buffer.concat([length, Buffer.from(type), Buffer.from(text)])
}

const target: SftpTarget = {
  kind: 'sftp',
  host: 'Store.example.org',
  port: 22,
  secretName: 'store',
}
const [key, other] = [keyOf('ssh-ed25519', 'one'), keyOf('ssh-ed25519', 'two')]
const line = (hosts: string, each = key) => `${hosts} ssh-ed25519 ${each.toString('base64')}`
const knows = (lines: string, at = target, each = key) =>
  readHostKeys({ 'sftp-known-hosts': lines }, at).isKnown(each)

test('typeOf() reads the type that a key names, and nothing from a short one', t => {
  t.is(typeOf(key), 'ssh-ed25519')
  t.is(typeOf(Buffer.alloc(3)), '')
})

test('readHostKeys() takes keys of known_hosts: by name, pattern, port and hash', t => {
  t.true(knows(line('store.example.org')))
  t.false(knows(line('store.example.org'), target, other))
  t.true(knows(line('other.example.org,*.example.org')))
  t.true(knows(line('[store.example.org]:2222'), { ...target, port: 2222 }))
  const salt = Buffer.from('salt')
  const hash = createHmac('sha1', salt).update('store.example.org').digest('base64')
  t.true(knows(line(`|1|${salt.toString('base64')}|${hash}`)))
})

test('readHostKeys() knows no key that is revoked', t => {
  t.false(knows(`${line('store.example.org')}\n@revoked ${line('*')}`))
})

for (const [what, lines] of [
  ['of another host', line('other.example.org')],
  ['of another port', line('[store.example.org]:2222')],
  ['that excludes the host', line('*.example.org,!store.example.org')],
  ['of a certificate authority', `@cert-authority ${line('*')}`],
  ['that is a comment', `# ${line('store.example.org')}`],
] as const) {
  test(`readHostKeys() refuses a Secret whose only line is one ${what}`, t => {
    t.throws(() => knows(lines), {
      name: 'StoreError',
      message: /expected sftp-known-hosts with a line for "store\.example\.org"/,
    })
  })
}

test('readHostKeys() takes fingerprints as ssh-keygen shows them, and refuses others', t => {
  const pinned = readHostKeys(
    { 'sftp-host-fingerprint': `${fingerprint(other)} ${fingerprint(key)}=` },
    target,
  )
  t.true(pinned.isKnown(key) && pinned.isKnown(other))
  t.false(pinned.isKnown(keyOf('ssh-ed25519', 'three')))
  t.throws(() => readHostKeys({ 'sftp-host-fingerprint': 'MD5:00:11' }, target), {
    message: /expected "SHA256:" and 43 characters/,
  })
})
