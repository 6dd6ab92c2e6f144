// Sends one request over HTTP or HTTPS. In: the server, a request, the options of the connection.
// Out: the answer, once its headers are there. Throws when the server cannot be reached.
import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import type { Socket } from 'node:net'
import { ExpectedError } from '../model/errors.ts'
import type { KubeRequest } from './request.ts'

const { request: httpRequest } = process.getBuiltinModule('node:http') // an import also loads Node's WebSocket: 14 MiB

export async function sendRequest(
  server: string,
  { path, method = 'GET', query = {}, headers = {}, body, mayBeSent, signal }: KubeRequest,
  options: RequestOptions,
): Promise<IncomingMessage> {
  const search = new URLSearchParams(query).toString()
  const url = new URL(`${server.replace(/\/$/, '')}${path}${search && `?${search}`}`)
  // Node sets no Content-Length for a DELETE, and the server would ignore its body.
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
  const all = { ...options, method, signal, headers: { ...headers, ...options.headers, ...length } }
  const sent = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, all)
  sent.on('error', () => {}) // once() reports the first error; errors after an abort are expected and ignored
  if (mayBeSent) await connected(sent, signal)
  if (mayBeSent?.() === false) sent.destroy(new ExpectedError('no longer to be sent'))
  else sent.end(body)
  const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage]
  return response
}

async function connected(sent: ClientRequest, signal: AbortSignal): Promise<void> {
  const [socket] = (await once(sent, 'socket', { signal })) as [Socket]
  if (socket.connecting)
    await once(socket, 'encrypted' in socket ? 'secureConnect' : 'connect', { signal })
}
