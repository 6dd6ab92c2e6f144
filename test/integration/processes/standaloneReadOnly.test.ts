// `selcap standalone` on a captureDir that cannot be written, for real: a file system that is
// mounted read-only.
import { serialNetworkTest as networkTest } from '../../support/net/privilege.ts'
import { remount } from '../../support/net/smallDisk.ts'
import { degraded, message, packets, twoCaptures } from '../../support/processes/twoCaptures.ts'

networkTest(
  'a captureDir that is read-only makes captures an Error that says so; nothing ends, and they begin when it can be written',
  async t => {
    const { app, start, captured, captures } = await twoCaptures(
      t,
      {},
      { of: 'captures', kibibytes: 8_192 },
    )
    await remount(captures, 'ro')
    await start('Error')
    for (const name of ['old', 'new']) t.regex(message(app, name), /EROFS: read-only file system/)
    t.is(degraded(app, 'old'), 'True TapFailed')
    await remount(captures, 'rw')
    for (const name of ['old', 'new']) await app.reaches('WaitingForTraffic', name)
    await captured(10)
  },
)

networkTest(
  'a captureDir that became read-only keeps its files and counts across a restart, and captures go on in them later',
  async t => {
    const { app, start, captured, captures } = await twoCaptures(
      t,
      {},
      { of: 'captures', kibibytes: 8_192 },
    )
    await start()
    await captured(10)
    t.is(await app.stop(), 0)
    await remount(captures, 'ro')
    await start('Error')
    for (const name of ['old', 'new']) {
      t.regex(message(app, name), /EROFS: read-only file system/)
      t.is(packets(app, name), 10)
    }
    t.is(await app.stop(), 0)
    await start('Error')
    await remount(captures, 'rw')
    for (const name of ['old', 'new']) await app.reaches('Capturing', name)
    await captured(10, 20)
    for (const name of ['old', 'new']) {
      t.is(app.records(name), 20)
      t.is(app.files(name).length, 1)
    }
  },
)
