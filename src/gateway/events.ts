// Tells on the capture who had its files, as a Kubernetes Event. It never holds a download up.
import type { Logger } from '../log.ts'
import { type Kube, refusalOf } from '../world/kube.ts'
import type { Capture } from './cluster.ts'

const messageMax = 1_024

export function teller(kube: Kube, log: Logger): (capture: Capture, reason: string, message: string) => void {
  return ({ apiVersion, kind, metadata: { namespace, name, uid } }, reason, message) => {
    const time = new Date().toISOString().replace(/\.\d+/, '')
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
      .then(async response => response.statusCode === 201 || log.warn({ said: await refusalOf(response) }, 'event not written'))
      .catch((error: Error) => log.warn({ reason: error.message }, 'event not written'))
  }
}
