// Types that the gateway's routes share. Nothing here computes.
import type { User } from '../auth/reviews.ts'
import type { GatewayCapture } from './captureCache.ts'

/** Of a route. `ns` is "-" for kinds without a namespace; without `kind` it is PacketCapture. */
export type CaptureParams = {
  readonly Params: {
    readonly ns: string
    readonly kind?: string
    readonly name: string
    readonly node: string
    readonly file: string
  }
}

/**
 * A request whose user has the right to it, and the capture it names. `by`: who acts as the user.
 * `from`: the address it came from.
 */
export type AuthorizedRequest = {
  readonly user: User
  readonly by?: string
  readonly capture: GatewayCapture
  readonly from: string
}
