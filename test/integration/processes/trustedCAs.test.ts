// What the controller says of the authorities it is given for stores, in a process of its own: Node
// reads the file at its start.
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { root } from '../../support/repository.ts'
import { makeAuthority } from '../../support/stores/authority.ts'

const run = promisify(execFile)
const program = `const { logTrustedCAs } = await import('./src/controller/uploads/trustedCAs.ts')
const say = level => ({ file, certificates }, text) => console.log([level, certificates ?? 0, text].join(' '))
logTrustedCAs({ info: say('info'), warn: say('warn') })`

async function saidWith(file: string | undefined): Promise<string> {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: file }
  return (
    await run(process.execPath, ['--input-type=module', '--eval', program], { cwd: root, env })
  ).stdout.trim()
}

test('logTrustedCAs() counts the certificates it was given', async t => {
  const [one, other] = [await makeAuthority(t), await makeAuthority(t)]
  t.is(await saidWith(undefined), '')
  t.is(await saidWith(one.file), 'info 1 authorities of stores trusted')
  const both = join(dirname(one.file), 'both.pem')
  writeFileSync(both, [one, other].map(({ file }) => readFileSync(file, 'utf8')).join('\n'))
  t.is(await saidWith(both), 'info 2 authorities of stores trusted')
})

test('logTrustedCAs() warns of a file without certificates, and of none', async t => {
  const { file } = await makeAuthority(t)
  for (const name of ['empty.pem', 'missing.pem']) {
    const path = join(dirname(file), name)
    if (name === 'empty.pem') writeFileSync(path, 'not a certificate\n')
    t.is(await saidWith(path), 'warn 0 no authority of stores trusted: found no certificate in PEM')
  }
})
