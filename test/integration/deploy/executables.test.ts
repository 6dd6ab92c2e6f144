// `npm run bundle -- --executables` makes the plugin a program for each platform: the one for this
// machine runs, the others have their platform's format and the plugin in them, and krew's manifest
// names an archive of each, with the licences of the plugin and of Node. Nothing here starts a program for another platform.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { root } from '../../support/repository.ts'

const folder = mkdtempSync(join(tmpdir(), 'selcap-executables-'))
const dist = join(folder, 'dist')
const signed = join(folder, 'signed')
const address = 'https://releases.test/v1'

test.before(t => {
  t.timeout(900_000, 'four programs of 150 MB are made, and Node is fetched the first time')
  const sign = join(folder, 'sign.sh')
  writeFileSync(sign, `#!/bin/sh\necho "$1" >>'${signed}'\n`, { mode: 0o755 })
  const bundle = join(root, 'scripts', 'bundle.mjs')
  const args = [bundle, dist, '--executables', `--sign=${sign}`, `--address=${address}`]
  execFileSync(process.execPath, args, { stdio: 'pipe' })
})

test.after.always(() => rmSync(folder, { recursive: true, force: true }))

const machines = {
  'linux-amd64': { magic: '7f454c46', at: 18, machine: 62 },
  'linux-arm64': { magic: '7f454c46', at: 18, machine: 183 },
  'darwin-amd64': { magic: 'cffaedfe', at: 4, machine: 0x07 },
  'darwin-arm64': { magic: 'cffaedfe', at: 4, machine: 0x0c },
} as const

for (const [platform, { magic, at, machine }] of Object.entries(machines))
  test(`the program for ${platform} has that format, and the plugin in it`, t => {
    const program = readFileSync(join(dist, `kubectl-pcap-${platform}`))
    t.is(program.subarray(0, 4).toString('hex'), magic)
    t.is(program.readUInt16LE(at), machine)
    const plugin = readFileSync(join(dist, 'kubectl-pcap'))
    t.true(program.includes(plugin.subarray(-4096)))
  })

test('the program for this machine brings its Node along', t => {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const program = join(dist, `kubectl-pcap-linux-${arch}`)
  const { status, stdout, stderr } = spawnSync(program, ['__complete', 'wat'], {
    encoding: 'utf8',
    env: { PATH: '/nowhere' },
  })
  t.is(status, 0, stderr)
  t.is(stdout, 'watch\tfollow captures; ends with the capture when one is named\n:4\n')
})

test('programs for darwin, and no others, were given to whoever signs', t =>
  t.deepEqual(
    readFileSync(signed, 'utf8').trim().split('\n').toSorted(),
    ['darwin-amd64', 'darwin-arm64'].map(platform => join(dist, `kubectl-pcap-${platform}`)),
  ))

test('the manifest for krew names the archive of each, with its SHA-256 and what is in it', t => {
  const { spec } = parse(readFileSync(join(dist, 'pcap.yaml'), 'utf8'))
  t.false(spec.caveats.includes('Node'))
  t.deepEqual(
    spec.platforms.map(({ selector: { matchLabels } }: { selector: { matchLabels: { os: string; arch: string } } }) => `${matchLabels.os}-${matchLabels.arch}`), // biome-ignore format: one line
    Object.keys(machines),
  )
  for (const { uri, sha256, bin, files } of spec.platforms) {
    const archive = join(dist, uri.replace(`${address}/`, ''))
    t.is(createHash('sha256').update(readFileSync(archive)).digest('hex'), sha256)
    const names = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' })
      .split('\n')
      .map(name => name.replace('./', ''))
      .filter(name => name !== '')
    t.deepEqual(names.toSorted(), files.map(({ from }: { from: string }) => from).toSorted())
    t.true(names.includes(bin))
    const licence = ['-xzOf', archive, './LICENSE.node']
    t.regex(
      execFileSync('tar', licence, { encoding: 'utf8' }),
      /^Node\.js is licensed for use as follows/,
    )
  }
})
