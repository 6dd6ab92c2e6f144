// A server of ours that stands for the gateway where a test needs one that misbehaves, and the
// plugin's way to it. It has a certificate of its own, which the way is told of; and it asks for
// the token.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { makeCertificate } from '../../../src/auth/selfSignedCertificate.ts'
import { type Gateway, openGateway } from '../../../src/kubectl/client/gateway.ts'
import type { Session } from '../../../src/kubectl/client/session.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

export type Served = { readonly url: string; readonly caFile: string }

export const token = 'the-token'

export async function serve(t: ExecutionContext, answer: Answer): Promise<Served> {
  const { key, cert } = await makeCertificate('127.0.0.1', ['127.0.0.1'])
  const server = createServer({ key, cert }, (request, response) => {
    response.on('error', () => {})
    if (request.headers.authorization === `Bearer ${token}`) answer(request, response)
    else response.writeHead(401).end('expected a token\n')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const directory = mkdtempSync(join(tmpdir(), 'selcap-gateway-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const caFile = join(directory, 'ca.pem')
  writeFileSync(caFile, cert)
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, caFile }
}

export async function serveGateway(t: ExecutionContext, answer: Answer): Promise<Gateway> {
  const { url, caFile } = await serve(t, answer)
  const gateway = await openGateway(session, {
    gateway: url,
    gatewayCa: caFile,
    gatewayNamespace: 'selcap-system',
  })
  t.teardown(() => gateway[Symbol.asyncDispose]())
  return gateway
}

/** Of a user with a token; there is no API server, and none is asked. */
export const session: Session = {
  kube: () => Promise.reject(new Error('there is no API server here')),
  namespace: 'shop',
  group: 'projectcalico.org',
  api: 'PacketCapture',
  access: {
    kube: () => Promise.reject(new Error('there is no API server here')),
    server: '',
    namespace: 'shop',
    impersonation: undefined,
    token: () => Promise.resolve(token),
    renewedToken: () => Promise.resolve(undefined),
  },
  nowMs: () => Date.now(),
  options: {},
}
