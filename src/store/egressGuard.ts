// Connections to stores, each checked when it is made: the address that is connected to must be
// allowed, whatever the name resolved to before. In: a policy. Out: agents for HTTP(S), and sockets
// for SSH. Ignores proxies of the environment, and no variable of the environment turns certificate
// checks off.
import { lookup as systemLookup } from 'node:dns'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { isIP, type LookupFunction, type Socket, connect as tcpConnect } from 'node:net'
import type { Duplex } from 'node:stream'
import { blockedAddressReason } from './blockedAddresses.ts'
import { blockedHostReason, type DestinationPolicy, plainHost } from './destinationPolicy.ts'
import { RefusedError, StoreError } from './store.ts'

/** As dns.lookup() with all addresses. */
export type Resolve = (
  host: string,
  options: { readonly all: true; readonly family?: number; readonly hints?: number },
  done: (
    error: Error | null,
    found: readonly { readonly address: string; readonly family: number }[],
  ) => void,
) => void

export type EgressGuard = Disposable & { readonly http: HttpAgent; readonly https: HttpsAgent }

const quietMs = 60_000 // without a byte in either direction, until the connection counts as lost
const connectMs = 15_000
const socketsMax = 8

export function makeGuard(
  policy: DestinationPolicy,
  resolve: Resolve = systemLookup as Resolve,
): EgressGuard {
  const options = {
    keepAlive: true,
    maxSockets: socketsMax,
    maxFreeSockets: 2,
    timeout: quietMs,
    lookup: guardedLookup(policy, resolve),
  }
  const [http, https] = [
    guarded(new HttpAgent(options), policy),
    guarded(new HttpsAgent({ ...options, rejectUnauthorized: true }), policy),
  ]
  return {
    http,
    https,
    [Symbol.dispose]: () => {
      for (const agent of [http, https]) agent.destroy()
    },
  }
}

/** A connected socket. Refuses with StoreError. */
export async function guardedSocket(
  host: string,
  port: number,
  {
    policy,
    signal,
    resolve = systemLookup as Resolve,
  }: {
    readonly policy: DestinationPolicy
    readonly signal: AbortSignal
    readonly resolve?: Resolve
  },
): Promise<Socket> {
  const refused = connectRefusal(host, policy)
  if (refused) throw refused
  const socket = tcpConnect({
    host: plainHost(host),
    port,
    noDelay: true,
    lookup: guardedLookup(policy, resolve),
  })
  const within = AbortSignal.any([signal, AbortSignal.timeout(connectMs)])
  return new Promise((done, fail) => {
    const end = (error: Error) => {
      socket.destroy()
      fail(error)
    }
    const stop = () =>
      end(
        signal.aborted
          ? signal.reason
          : new StoreError(`no connection within ${connectMs / 1_000} s`),
      )
    if (within.aborted) return stop()
    within.addEventListener('abort', stop, { once: true })
    socket.once('error', end).once('connect', () => {
      within.removeEventListener('abort', stop)
      socket.off('error', end)
      done(socket)
    })
  })
}

type GuardOptions = { readonly host?: string | null | undefined }
type Done = (error: Error | null, stream: Duplex) => void

function guarded<T extends HttpAgent>(agent: T, policy: DestinationPolicy): T {
  const make = agent.createConnection.bind(agent)
  agent.createConnection = (options: GuardOptions, done?: Done) =>
    watched(policy, options, done, () => make(options as object, done))
  return agent
}

function watched(
  policy: DestinationPolicy,
  { host }: GuardOptions,
  done: Done | undefined,
  make: () => Duplex | null | undefined,
): Duplex | null | undefined {
  const refused = connectRefusal(host ?? '', policy)
  if (refused) {
    done?.(refused, undefined as unknown as Duplex) // Node's agents expect this call when no socket was made
    return undefined
  }
  const socket = make() as Socket | null | undefined
  socket?.on('timeout', () =>
    socket.destroy(new StoreError(`nothing heard for ${quietMs / 1_000} s`)),
  )
  return socket
}

/**
 * Checks a host that is an address, which is never looked up. guardedLookup() checks the addresses
 * of a name.
 */
function connectRefusal(host: string, policy: DestinationPolicy): StoreError | undefined {
  const name = plainHost(host)
  const why = blockedHostReason(name, policy)
  if (why) return new RefusedError(why)
  const kind = isIP(name) === 0 ? undefined : blockedAddressReason(name, policy.addressesAllowed)
  return kind === undefined
    ? undefined
    : new RefusedError(`"${name}" is ${kind}, expected one that the administrator allows`)
}

export function guardedLookup(
  { addressesAllowed }: DestinationPolicy,
  resolve: Resolve,
): LookupFunction {
  return (host, options, done) => {
    resolve(host, { ...options, all: true } as { readonly all: true }, (error, found) => {
      if (error) return done(error, '', 0)
      const kinds = found.map(({ address }) => blockedAddressReason(address, addressesAllowed))
      const allowed = found.filter((_, index) => kinds[index] === undefined)
      const [first] = allowed
      if (!first)
        return done(
          new RefusedError(
            `"${host}" is at ${found[0]?.address}, ${kinds[0]}, expected one that the administrator allows`,
          ),
          '',
          0,
        )
      if (options.all) return done(null, allowed as { address: string; family: number }[])
      return done(null, first.address, first.family)
    })
  }
}
