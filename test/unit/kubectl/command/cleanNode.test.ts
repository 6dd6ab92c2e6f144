import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { cleanNodeCommand } from '../../../../src/kubectl/command/cleanNode.ts'

test('cleanNodeCommand() cleans below the mounted root, which stays', async t => {
  const host = mkdtempSync(join(tmpdir(), 'selcap-host-'))
  t.teardown(() => rmSync(host, { recursive: true, force: true }))
  const results = join(host, 'var/log/retina/captures')
  mkdirSync(results, { recursive: true })
  writeFileSync(join(results, 'a-node-20260102030405UTC.tar.gz'), '')
  const args = ['--host', host, '--captures', '/var/log/calico/pcap']
  const said: string[] = []
  const command = cleanNodeCommand(text => said.push(text))
  await command.parseAsync([...args, '--results', '/var/log/retina/captures'], { from: 'user' })
  t.deepEqual(said, [
    '/var/log/calico/pcap: 0 files removed\n',
    '/var/log/retina/captures: 1 files removed\n',
  ])
  t.false(existsSync(join(host, 'var/log/retina')))
  t.true(existsSync(join(host, 'var/log')))
})

test('cleanNodeCommand() without a mounted root leaves the directory that would be mounted', async t => {
  const top = mkdtempSync(join(tmpdir(), 'selcap-host-'))
  t.teardown(() => rmSync(top, { recursive: true, force: true }))
  const results = join(top, 'var', 'results')
  mkdirSync(results, { recursive: true })
  await cleanNodeCommand(() => {}).parseAsync(['--results', results], { from: 'user' })
  t.false(existsSync(results))
  t.true(existsSync(join('/', ...results.split('/').slice(0, 3))))
})

test('cleanNodeCommand() removes an empty directory of two levels, and leaves the one that is mounted', async t => {
  const host = mkdtempSync(join(tmpdir(), 'selcap-host-'))
  t.teardown(() => rmSync(host, { recursive: true, force: true }))
  mkdirSync(join(host, 'data', 'captures'), { recursive: true })
  const args = ['--host', host, '--captures', '/data/captures']
  await cleanNodeCommand(() => {}).parseAsync(args, { from: 'user' })
  t.false(existsSync(join(host, 'data', 'captures')))
  t.true(existsSync(join(host, 'data')))
})
