// `selcap standalone` while the disk of its captures does not answer: what goes on, what it says,
// and what it has when the disk is back.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { freezableDisk, freezeRefusal } from '../../support/net/freezableDisk.ts'
import { podWithPort } from '../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../support/net/privilege.ts'
import { capture, endpoint, Standalone } from '../../support/processes/standalone.ts'
import { until } from '../../support/until.ts'

const refusal = await freezeRefusal()
const frozenTest: typeof networkTest = (title, body) =>
  networkTest(title, async t => {
    if (refusal === undefined) await body(t)
    else t.pass(`no disk can be frozen here: ${refusal}`)
  })

/** Captures so many packets on a disk of its own. */
async function capturing(
  t: ExecutionContext,
  count: number,
  { frozen = 'captures', options = [] }: { frozen?: string; options?: readonly string[] } = {},
) {
  const { pod, sender, port } = await podWithPort(t)
  const app = new Standalone(t)
  const disk = await freezableDisk(t, join(app.root, frozen))
  app.write('endpoints.yaml', endpoint(pod.hostName))
  app.write('web.yaml', capture())
  await app.start([], options)
  await app.reaches('WaitingForTraffic')
  const send = (packets: number) => sender.udp({ to: pod.hostAddress, port, count: packets })
  await send(count)
  await app.counts(count)
  return { app, disk, send }
}

function metricsUrl(app: Standalone, path: string): string {
  const served = app.log.map(line => /"metrics served"/.test(line) && /"port":(\d+)/.exec(line))
  const [, port = ''] = served.find(found => found) || []
  return `http://127.0.0.1:${port}${path}`
}

frozenTest(
  'a frozen disk stops no health check and no status; after the thaw every packet is in the files',
  async t => {
    const { app, disk, send } = await capturing(t, 10)
    await disk.freeze()
    await send(20)
    // Each of these needs the disk: another capture, an edit that closes and opens, a deletion.
    app.write('second.yaml', capture({}, 'second'))
    await until('the status of what cannot open', () =>
      /has not answered since/.test(JSON.stringify(app.status('second') ?? '')),
    )
    app.write('web.yaml', capture({ filters: [{ protocol: 'UDP' }, { protocol: 'TCP' }] }))
    for (let asked = 0; asked < 5; asked++) {
      const answer = await fetch(metricsUrl(app, '/healthz'), {
        signal: AbortSignal.timeout(10_000),
      })
      t.is(answer.status, 200)
    }
    const metrics = await fetch(metricsUrl(app, '/metrics'), {
      signal: AbortSignal.timeout(10_000),
    })
    t.regex(await metrics.text(), /selcap_captures/)
    app.write('third.yaml', capture({ endTime: '2020-01-01T00:00:00Z' }, 'third'))
    await app.reaches('Finished', 'third') // turns go on
    await disk.thaw()
    await app.reaches('WaitingForTraffic', 'second')
    await app.counts(30)
    await send(5)
    await app.counts(35)
    await app.counts(5, 'second')
    t.is(await app.stop(), 0)
    t.is(app.records(), 35)
    t.is(app.records('second'), 5)
  },
)

frozenTest(
  'SIGTERM ends a process whose disk does not answer, and it says what is left',
  async t => {
    const { app, disk, send } = await capturing(t, 10)
    await disk.freeze()
    await send(20)
    const stopped = app.stop()
    await until('the word of what is not finished', () =>
      app.log.some(line => /the disk of the capture files has not answered/.test(line)),
    )
    await until('the last status', () =>
      /selcap has stopped/.test(app.status()?.status?.files[0]?.message ?? ''),
    )
    await disk.thaw() // the kernel keeps a process until the system calls of its threads return
    await stopped
    t.pass()
  },
)

frozenTest(
  'a frozen disk of the status directory stops no capture, and SIGTERM is heeded',
  async t => {
    const { app, disk, send } = await capturing(t, 10, { frozen: 'status' })
    await disk.freeze()
    app.write('second.yaml', capture({}, 'second'))
    const says = (text: string) => until(text, () => app.log.some(line => line.includes(text)))
    await says('the disk of the status directory does not answer')
    await says('"tap":"shop/second/web-0"')
    await send(20)
    await until('30 and 20 packets', () => app.records() === 30 && app.records('second') === 20)
    const stopped = app.stop()
    await says('the last status is not published')
    await disk.thaw() // the kernel keeps a process until the system calls of its threads return
    await stopped
    t.is(app.records(), 30)
  },
)

frozenTest('a deletion during the freeze is done after it, once', async t => {
  const { app, disk } = await capturing(t, 10)
  await disk.freeze()
  rmSync(join(app.root, 'manifests', 'web.yaml'))
  await until('no status', () => app.status() === undefined)
  app.write('second.yaml', capture({ endTime: '2020-01-01T00:00:00Z' }, 'second'))
  await app.reaches('Finished', 'second')
  await disk.thaw()
  await until('no files', () => app.files().length === 0)
  t.is(await app.stop(), 0)
})

frozenTest('a frozen disk stops no health check with the libpcap driver', async t => {
  const { app, disk, send } = await capturing(t, 10, { options: ['--driver', 'libpcap'] })
  await disk.freeze()
  await send(20)
  await until('the condition', () => /DiskStalled/.test(JSON.stringify(app.status() ?? '')))
  const answer = await fetch(metricsUrl(app, '/healthz'), { signal: AbortSignal.timeout(10_000) })
  t.is(answer.status, 200)
  await send(20)
  await disk.thaw()
  await app.counts(50)
  await until('no condition', () => !/DiskStalled/.test(JSON.stringify(app.status())))
  t.is(await app.stop(), 0)
  t.is(app.records(), 50)
})
