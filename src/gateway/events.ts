// Tells on the capture who had its files, as a Kubernetes Event. It never holds a download up, and one user makes no flood of them:
// the log has every deed, the capture one of a kind for each user in a while.
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { type Kube, refusalOf } from '../world/kube.ts'
import type { Capture } from './cluster.ts'

const messageMax = 1_024
const onceMs = 10_000
const rememberedMax = 10_000

export type Tell = (capture: Capture, told: { readonly user: string; readonly reason: string; readonly message: string }) => void

export function teller(kube: Kube, clock: Clock, log: Logger): Tell {
  const toldAtMs = new Map<string, number>()
  return ({ apiVersion, kind, metadata: { namespace, name, uid } }, { user, reason, message }) => {
    const [key, nowMs] = [`${uid} ${reason} ${user}`, clock.now()]
    if (Math.abs(nowMs - (toldAtMs.get(key) ?? Number.NEGATIVE_INFINITY)) < onceMs) return
    if (toldAtMs.size >= rememberedMax) toldAtMs.clear()
    toldAtMs.set(key, nowMs)
    const time = new Date(nowMs).toISOString().replace(/\.\d+/, '')
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace, generateName: `${name.slice(0, 200)}.` },
      involvedObject: { apiVersion, kind, namespace, name, uid },
      reason,
      type: 'Normal',
      message: message.slice(0, messageMax),
      source: { component: 'selcap-gateway' },
      reportingComponent: 'selcap-gateway',
      reportingInstance: 'selcap-gateway',
      action: reason,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    }
    const headers = { 'content-type': 'application/json' }
    const path = `/api/v1/namespaces/${namespace}/events`
    kube({ path, method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(10_000) })
      .then(async response => {
        const said = await refusalOf(response) // read to its end, so that the connection is free again
        if (response.statusCode !== 201) log.warn({ said }, 'event not written')
      })
      .catch((error: Error) => log.warn({ reason: error.message }, 'event not written'))
  }
}
