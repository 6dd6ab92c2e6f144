// `selcap standalone` while the directory of its manifests does not answer any more, as one on a
// server of files that is gone.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { capture, Standalone } from '../../support/processes/standalone.ts'
import { until } from '../../support/until.ts'

test('SIGTERM ends a process whose manifests do not answer', async t => {
  const app = new Standalone(t)
  const from = join(app.root, 'from')
  const hook = new URL('../../support/processes/hangHook.mjs', import.meta.url).href
  app.write('web.yaml', capture())
  await app.start([
    'env',
    `NODE_OPTIONS=--import=${hook}`,
    `SELCAP_HANG_FROM=${from}`,
    `SELCAP_HANG_DIRECTORY=${join(app.root, 'manifests')}`,
  ])
  await until('the status', () => app.status() !== undefined)
  execFileSync('mkfifo', [from])
  await until('a look that does not come back', () => existsSync(`${from}.held`))
  await app.stop()
  t.is(app.process?.signalCode, 'SIGKILL') // an exit would wait for the thread
  t.true(app.log.some(line => line.includes('ending, although something has not come to its end')))
})
