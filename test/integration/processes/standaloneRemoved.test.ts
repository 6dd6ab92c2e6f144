// `selcap standalone` on relative directories, and somebody removes the working directory that
// holds them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { stringify } from 'yaml'
import { capture, endpoint, Standalone } from '../../support/processes/standalone.ts'
import { until } from '../../support/until.ts'

test('standalone goes on, tries again and stops when asked after its working directory was removed', async t => {
  const app = new Standalone(t)
  const manifests = mkdtempSync(join(tmpdir(), 'selcap-manifests-'))
  t.teardown(() => rmSync(manifests, { recursive: true, force: true }))
  const cwd = join(app.root, 'cwd')
  mkdirSync(cwd)
  await app.start(
    ['env', '--chdir', cwd],
    ['--manifests', manifests, '--captures', 'captures', '--status', 'status'],
  )
  rmSync(cwd, { recursive: true })
  // A tap needs a folder under captures, a capture needs a file under status: neither can be made
  // any more.
  writeFileSync(
    join(manifests, 'web.yaml'),
    [endpoint('missing0'), capture()].map(document => stringify(document)).join('---\n'),
  )
  await until('a status that is not published', () =>
    app.log.some(line => line.includes('status not published')),
  )
  t.true(app.log.some(line => line.includes('tap not opened') && line.includes('ENOENT')))
  t.is(await app.stop(), 0)
})
