// `selcap standalone` when somebody removes what it works on: the working directory of relative
// paths, files of captures.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import { stringify } from 'yaml'
import { podWithPort } from '../../support/net/podWithPort.ts'
import { networkTest } from '../../support/net/privilege.ts'
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

networkTest(
  'files that somebody removes leave the status without a packet, also of a finished capture',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const app = new Standalone(t)
    const rotation = { maxSizeBytes: 2_000, maxFiles: 5 }
    app.write('endpoints.yaml', endpoint(pod.hostName))
    app.write('web.yaml', capture({ rotation }))
    app.write('over.yaml', capture({ rotation, limits: { packets: 60 } }, 'over'))
    await app.start()
    for (const name of ['web', 'over']) await app.reaches('WaitingForTraffic', name)
    await sender.udp({ to: pod.hostAddress, port, count: 60, gapMs: 2 })
    await app.counts(60)
    await app.reaches('Finished', 'over')
    for (const name of ['web', 'over']) {
      const listed = () => app.status(name)?.status?.files[0]?.fileNames
      await until('the list', () => isDeepStrictEqual(listed(), app.files(name)))
      const removed = app.files(name)[0] ?? ''
      t.regex(removed, /Z\.pcap$/)
      rmSync(join(app.root, 'captures', 'shop', name, removed))
      await until('the shorter list', () => isDeepStrictEqual(listed(), app.files(name)))
    }
    rmSync(join(app.root, 'captures', 'shop', 'over', app.files('over')[0] ?? ''))
    t.is(await app.stop(), 0)
    t.deepEqual(app.status('over')?.status?.files[0]?.fileNames, app.files('over')) // at once
  },
)
