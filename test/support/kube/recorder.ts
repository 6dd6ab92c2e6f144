// An HTTPS server in front of an API server that notes who asked for what: the credentials, the user
// to act as, the name that the client expects. It passes requests on as they came.
//   const recorder = await startRecorder(t, api)     recorder.url, recorder.caFile
//   recorder.take()                                  what was asked since the last time
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttpServer } from 'node:http'
import { createServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { makeCertificate } from '../../../src/auth/selfSignedCertificate.ts'
import type { Scope } from '../net/namespace.ts'
import type { ApiServer } from './apiServer.ts'

export type Noted = {
  readonly path: string
  readonly authorization: string
  readonly acting: Readonly<Record<string, readonly string[]>>
  readonly serverName: string
  readonly certificate: string // the client's common name
}

export type Recorder = {
  readonly url: string
  readonly plainUrl: string // the same without TLS
  readonly caFile: string
  readonly key: string
  readonly cert: string
  readonly take: () => readonly Noted[]
  /** Answers in place of the API server. */
  answer: ((noted: Noted) => number | undefined) | undefined
}

export async function startRecorder(scope: Scope, target: ApiServer): Promise<Recorder> {
  const { key, cert } = await makeCertificate('recorder', ['127.0.0.1', 'localhost', 'api.test'])
  const noted: Noted[] = []
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const now = noteOf(request)
    noted.push(now)
    const status = recorder.answer?.(now)
    if (status === undefined) return pass(target, request, response)
    const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, message: 'answered by the recorder', reason: 'Unauthorized' } // biome-ignore format: one line
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  const tls = createServer({ key, cert, requestCert: true, rejectUnauthorized: false }, handle)
  const plain = createHttpServer(handle)
  for (const server of [tls, plain]) {
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    scope.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
  }
  const caFile = join(mkdtempSync(join(target.directory, 'recorder-')), 'ca.crt')
  writeFileSync(caFile, cert)
  const recorder: Recorder = {
    url: `https://127.0.0.1:${(tls.address() as AddressInfo).port}`,
    plainUrl: `http://127.0.0.1:${(plain.address() as AddressInfo).port}`,
    caFile,
    key,
    cert,
    take: () => noted.splice(0),
    answer: undefined,
  }
  return recorder
}

function noteOf({ url = '', headers, headersDistinct, socket }: IncomingMessage): Noted {
  const secure = socket as Partial<TLSSocket>
  const acting = Object.entries(headersDistinct).filter(([name]) => name.startsWith('impersonate-'))
  return {
    path: url,
    authorization: headers.authorization ?? '',
    acting: Object.fromEntries(acting.map(([name, values]) => [name, values ?? []])),
    serverName: String(secure.servername || ''),
    certificate: String(secure.getPeerCertificate?.().subject?.CN ?? ''),
  }
}

function pass(target: ApiServer, request: IncomingMessage, response: ServerResponse): void {
  const { host: _, connection: __, ...headers } = request.headersDistinct
  const path = (request.url ?? '/').replace(/^\/prefix/, '')
  const sent = httpsRequest(new URL(path, target.url), {
    method: request.method ?? 'GET',
    headers,
    ca: readFileSync(target.caFile),
    agent: false,
  })
  sent.on('response', answer => {
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(response)
  })
  sent.on('error', () => response.destroy())
  response.on('error', () => {}).on('close', () => sent.destroy())
  request.pipe(sent)
}
