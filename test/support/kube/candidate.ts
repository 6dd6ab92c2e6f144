// One of several programs that want to lead, for lease.test.ts: while it does it writes an Event
// every 20 ms, through the same function as the controller. Arguments: kubeconfig, its name.
// SIGTERM ends it.

import { writeEvent } from '../../../src/controller/apiWriter.ts'
import { type Leadership, runAsLeader } from '../../../src/controller/leaderElection.ts'
import { eventRequest } from '../../../src/kube/event.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { openLog } from '../../../src/runtime/log.ts'
import { stopSignal } from '../../../src/runtime/process.ts'
import { kubeOf } from './kube.ts'

const [kubeconfig, holder = ''] = process.argv.slice(2)
const parts = {
  kube: kubeOf(kubeconfig ?? ''),
  clock: systemClock,
  log: openLog('info').log,
  namespace: 'default',
  holder,
}
const everyMs = 20

async function writeAsLongAs(term: Leadership): Promise<void> {
  for (let count = 0; !term.signal.aborted; count++) {
    const metadata = {
      name: `${holder}-${process.pid}-${Date.now()}-${count}`,
      namespace: 'default',
    }
    const involvedObject = { kind: 'Namespace', namespace: 'default', name: 'default' }
    const event = { metadata, involvedObject, reason: 'Leading', reportingComponent: holder }
    await writeEvent({ ...parts, group: '', term }, eventRequest('default', event))
    await systemClock.sleepUntil(systemClock.now() + everyMs, term.signal)
  }
}

await runAsLeader(parts, stopSignal(), writeAsLongAs)
