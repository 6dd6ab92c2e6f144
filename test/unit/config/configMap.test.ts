// Hot reload as the kubelet does it: a ConfigMap's files are links through `..data`, and a change swaps that link for one to a
// new directory and removes the old. The settings follow, again and again.
import { mkdirSync, mkdtempSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Configuration } from '../../../src/config/watchSettings.ts'
import { until } from '../../support/until.ts'

/** Writes as the kubelet's atomic writer: a directory for the version, one rename, the old version removed. */
function write(volume: string, version: string, text: string): void {
  mkdirSync(join(volume, `..${version}`))
  writeFileSync(join(volume, `..${version}`, 'config.yaml'), text)
  const old = linkOf(join(volume, '..data'))
  symlinkSync(`..${version}`, join(volume, '..data_tmp'))
  renameSync(join(volume, '..data_tmp'), join(volume, '..data'))
  if (old === undefined) symlinkSync(join('..data', 'config.yaml'), join(volume, 'config.yaml'))
  else rmSync(join(volume, old), { recursive: true })
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

test('Configuration follows a ConfigMap, change after change', async t => {
  const volume = mkdtempSync(join(tmpdir(), 'selcap-config-'))
  t.teardown(() => rmSync(volume, { recursive: true }))
  write(volume, 'version-0', 'captureMaxFiles: 2\n')
  await using configuration = new Configuration(join(volume, 'config.yaml'), {})
  t.is(configuration.settings.captureMaxFiles, 2)
  for (const files of [3, 4, 5]) {
    write(volume, `version-${files}`, `captureMaxFiles: ${files}\n`)
    await until(`captureMaxFiles to be ${files}`, () => configuration.settings.captureMaxFiles === files)
  }
  t.is(configuration.settings.captureMaxFiles, 5)
})
