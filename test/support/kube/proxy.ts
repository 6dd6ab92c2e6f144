// A proxy in front of an API server, plain HTTP on this side, that a test tells to misbehave: it
// cuts connections, keeps them open in silence, is late, refuses. What it passes on is the server's
// own. It knows what was asked and counts bytes.
//   const proxy = await startProxy(t, api)          gone with the test (or what stands for `t`)
//   proxy.kube()                                    as the administrator
//   proxy.next = request => ({ status: 429 })       what to do with a request; undefined: pass it on
//   proxy.cut('reset'); proxy.stall()               the connections there are
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { request as httpsRequest } from 'node:https'
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { connectWith } from '../../../src/kube/connect.ts'
import type { Kube } from '../../../src/kube/request.ts'
import { sendRequest } from '../../../src/kube/send.ts'
import type { Scope } from '../net/namespace.ts'
import type { ApiServer } from './apiServer.ts'
import { kubeOf } from './kube.ts'

export type Asked = {
  readonly method: string
  readonly url: URL
  readonly isWatch: boolean
  readonly token: string
  readonly atMs: number
}

/** `status` is answered here; else the request goes on, late or to another address. */
export type Treatment = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly lateMs?: number
  readonly url?: URL
}

export class ApiProxy {
  readonly asked: Asked[] = []
  readonly url: string
  target: ApiServer
  next: (asked: Asked) => Treatment | undefined = () => undefined
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #upstream = new Set<IncomingMessage>()
  #closedBytes = 0

  constructor(server: Server, target: ApiServer) {
    this.#server = server
    this.target = target
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket
        .on('error', () => {})
        .on('close', () => {
          this.#sockets.delete(socket)
          this.#closedBytes += socket.bytesWritten
        })
    })
    server.on('request', (request, response) => void this.#handle(request, response))
  }

  /** Towards the client, headers too. */
  get bytes(): number {
    return [...this.#sockets].reduce(
      (sum, { bytesWritten }) => sum + bytesWritten,
      this.#closedBytes,
    )
  }

  get connections(): number {
    return this.#sockets.size
  }

  count(pattern: RegExp): number {
    return this.asked.filter(({ url }) => pattern.test(`${url.pathname}${url.search}`)).length
  }

  /** Not by a kubeconfig, which sends no token without TLS. */
  kube(): Kube {
    return request =>
      sendRequest(this.url, request, {
        headers: { authorization: `Bearer ${this.target.token}` },
      })
  }

  cut(how: 'close' | 'reset'): void {
    for (const socket of this.#sockets)
      how === 'reset' ? socket.resetAndDestroy() : socket.destroy()
  }

  /** What is under way goes silent; its connections stay. */
  stall(): void {
    for (const response of this.#upstream) response.unpipe().pause()
  }

  async close(): Promise<void> {
    this.#server.close()
    this.cut('close')
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url)
    const token = (request.headers.authorization ?? '').replace(/^Bearer /, '')
    const asked = {
      method: request.method ?? '',
      url,
      isWatch: url.searchParams.has('watch'),
      token,
      atMs: performance.now(),
    }
    this.asked.push(asked)
    const treatment = this.next(asked) ?? {}
    if (treatment.lateMs) await after(treatment.lateMs, undefined, { ref: false })
    if (treatment.status === undefined) return this.#pass(request, response, treatment.url ?? url)
    response
      .writeHead(treatment.status, { 'content-type': 'application/json', ...treatment.headers })
      .end(treatment.body ?? '{}')
  }

  #pass(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const to = new URL(`${url.pathname}${url.search}`, this.target.url)
    const { host: _, connection: __, ...headers } = request.headers
    const sent = httpsRequest(to, {
      method: request.method ?? 'GET',
      headers,
      ca: readFileSync(this.target.caFile),
      agent: false,
    })
    sent.on('response', answer => {
      this.#upstream.add(answer)
      answer
        .on('error', () => {})
        .on('close', () => {
          this.#upstream.delete(answer)
          if (!answer.complete) response.destroy()
        })
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      response.flushHeaders()
      answer.pipe(response)
    })
    sent.on('error', () => response.destroy())
    response.on('error', () => {}).on('close', () => sent.destroy())
    request.pipe(sent)
  }
}

export async function startProxy(scope: Scope, target: ApiServer): Promise<ApiProxy> {
  const server = createServer({ keepAlive: false })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const proxy = new ApiProxy(server, target)
  scope.teardown(() => proxy.close())
  return proxy
}

export type Passage = {
  readonly url: string
  readonly kube: Kube
  readonly pod: Kube
  readonly tokenFile: string
  readonly reset: () => void
}

/**
 * Passes bytes on, unread, so that the client speaks TLS with the API server itself. `reset()` cuts
 * all there is. `kube` has a kubeconfig, `pod` the files of a pod's service account; both are the
 * administrator until `tokenFile` changes.
 */
export async function startPassage(scope: Scope, target: ApiServer): Promise<Passage> {
  const sockets = new Set<Socket>()
  const { port, hostname } = new URL(target.url)
  const server: TcpServer = createTcpServer(socket => {
    const on = connect(Number(port), hostname)
    sockets.add(socket)
    for (const each of [socket, on]) each.on('error', () => {})
    socket.on('close', () => sockets.delete(socket) && on.destroy())
    on.on('close', () => socket.destroy())
    socket.pipe(on).pipe(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const reset = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  scope.teardown(() => {
    server.close()
    reset()
  })
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const tokenFile = join(mkdtempSync(join(target.directory, 'account-')), 'token')
  writeFileSync(tokenFile, `${target.token}\n`)
  const kube = connected(
    target,
    { server: url, 'certificate-authority': target.caFile },
    { token: target.token },
  )
  return {
    url,
    kube,
    pod: connectWith({ server: url, tokenFile, caFile: target.caFile }),
    tokenFile,
    reset,
  }
}

/** By a kubeconfig of its own, as a user has it. */
function connected({ directory }: ApiServer, cluster: object, user: object): Kube {
  const file = join(mkdtempSync(join(directory, 'kubeconfig-')), 'config')
  const name = 'test'
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  }
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  return kubeOf(file)
}
