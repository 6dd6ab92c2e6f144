// What one capture's directory must not do to the others.
import { rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { serialNetworkTest as networkTest } from '../../support/net/privilege.ts'
import { remount } from '../../support/net/smallDisk.ts'
import { message, packets, twoCaptures } from '../../support/processes/twoCaptures.ts'
import { until } from '../../support/until.ts'

for (const captureMaxSizeBytes of [20_000, 10_000_000]) {
  networkTest(
    `a capture whose directory somebody removes harms no other one, with files of ${captureMaxSizeBytes} bytes`,
    async t => {
      const { app, start, send, captured, captures } = await twoCaptures(t, { captureMaxSizeBytes })
      await start()
      await captured(10)
      rmSync(join(captures, 'shop', 'old'), { recursive: true })
      await send(100)
      await app.counts(110, 'new')
      t.is(app.process?.exitCode, null)
      unlinkSync(join(app.root, 'manifests', 'old.yaml'))
      await until('the end of old', () => app.status('old') === undefined)
      t.is(app.process?.exitCode, null)
      t.is(await app.stop(), 0)
      t.is(packets(app, 'new'), 110)
    },
  )
}

networkTest(
  'a captureDir that became read-only after a crash is adopted as it is, and captures go on in it later',
  async t => {
    const { app, start, captured, captures } = await twoCaptures(
      t,
      {},
      { of: 'captures', kibibytes: 8_192 },
    )
    await start()
    await captured(10)
    await app.stop('SIGKILL')
    await remount(captures, 'ro')
    await start('Error')
    for (const name of ['old', 'new']) t.regex(message(app, name), /EROFS/)
    await remount(captures, 'rw')
    for (const name of ['old', 'new']) await app.reaches('Capturing', name)
    await captured(10, 20)
    for (const name of ['old', 'new']) t.is(app.records(name), 20)
  },
)

networkTest(
  'a capture that is deleted while captureDir is read-only ends nothing, and its files go when they can',
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
    unlinkSync(join(app.root, 'manifests', 'old.yaml'))
    await until('the end of old', () => app.status('old') === undefined)
    t.is(app.process?.exitCode, null)
    await remount(captures, 'rw')
    await until('its files to go', () => app.files('old').length === 0)
    await app.reaches('Capturing', 'new')
  },
)
