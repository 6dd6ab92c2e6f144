// Tells on the capture who had its files, as a Kubernetes Event. It never holds a download up, and one user makes no flood of them:
// the log has every deed, the capture one of a kind for each user in a while.

import { eventOn, eventRequest } from '../kube/event.ts'
import { apiErrorMessage, type Kube } from '../kube/request.ts'
import type { gatewayEvents } from '../model/codes.ts'
import { accounts } from '../model/wellKnown.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import type { GatewayCapture } from './captureCache.ts'

const repeatAfterMs = 10_000
const rememberedMax = 10_000
const apiTimeoutMs = 10_000

export type RecordEvent = (
  capture: GatewayCapture,
  told: { readonly user: string; readonly reason: keyof typeof gatewayEvents; readonly message: string },
) => void

export function eventRecorder(kube: Kube, clock: Clock, log: Logger): RecordEvent {
  const toldAtMs = new Map<string, number>()
  return (capture, { user, reason, message }) => {
    const { namespace, uid } = capture.metadata
    const [key, nowMs] = [`${uid} ${reason} ${user}`, clock.now()]
    if (Math.abs(nowMs - (toldAtMs.get(key) ?? Number.NEGATIVE_INFINITY)) < repeatAfterMs) return
    if (toldAtMs.size >= rememberedMax) toldAtMs.clear()
    toldAtMs.set(key, nowMs)
    const event = eventOn(capture, { reason, type: 'Normal', message }, { component: accounts.gateway, nowMs })
    kube({ ...eventRequest(namespace || 'default', event), signal: AbortSignal.timeout(apiTimeoutMs) })
      .then(async response => {
        const said = await apiErrorMessage(response) // read to its end, so that the connection is free again
        if (response.statusCode !== 201) log.warn({ said }, 'event not written')
      })
      .catch((error: Error) => log.warn({ reason: error.message }, 'event not written'))
  }
}
