// `selcap standalone` with few file descriptors: what has no room says so, and the rest goes on.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { podWithPort } from '../../support/net/podWithPort.ts'
import { networkTest } from '../../support/net/privilege.ts'
import { capture, endpoint, Standalone } from '../../support/processes/standalone.ts'
import { until } from '../../support/until.ts'

networkTest(
  'captures beyond the limit of descriptors say so, and the next one opens when others are withdrawn',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const app = new Standalone(t)
    const names = Array.from({ length: 40 }, (_, index) => `c${index}`)
    app.write('endpoints.yaml', endpoint(pod.hostName))
    app.write('many.yaml', ...names.map(name => capture({}, name)))
    await app.start(['prlimit', '--nofile=90:90'])
    const states = () => names.map(name => app.status(name)?.status?.state)
    await until('all states', () => states().every(state => state !== undefined))
    const failed = names.filter(name => app.status(name)?.status?.state === 'Error')
    t.true(failed.length > 0 && failed.length < 40, `${failed.length}`)
    t.regex(JSON.stringify(app.status(failed[0])), /limit of file descriptors leaves none/)
    rmSync(join(app.root, 'manifests', 'many.yaml'))
    await until('no status', () => states().every(state => state === undefined))
    app.write('last.yaml', capture({}, 'last'))
    await app.reaches('WaitingForTraffic', 'last')
    await sender.udp({ to: pod.hostAddress, port, count: 5 })
    await app.counts(5, 'last')
    t.is(await app.stop(), 0)
  },
)
