// An agent's HTTPS side with a real capture folder, beside a real API server that judges real
// tokens; requests to it as anybody.
//   const agent = await Agent.start(t, installed)        agent.write(name, bytes); await agent.ask({ path, token })
import { createPrivateKey, createSign } from 'node:crypto'
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import pino from 'pino'
import {
  type AgentLimits,
  agentLimits,
  agentServer,
  listen,
} from '../../../src/agentapi/server/server.ts'
import { agentAudience, Reviews } from '../../../src/auth/reviews.ts'
import { makeCertificate } from '../../../src/auth/selfSignedCertificate.ts'
import { CaptureFolder } from '../../../src/files/captureFolder.ts'
import { connectKube } from '../../../src/kube/connect.ts'
import { StreamError } from '../../../src/model/errors.ts'
import { kubeconfig } from './credentials.ts'
import { account, type Installed, systemNamespace } from './installManifests.ts'

export const node = 'node-1'
export const files = '/v1/captures/shop/web/uid-1/files'

export type Request = {
  readonly path: string
  readonly token?: string | undefined
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
}
export type Answer = {
  readonly code: number
  readonly body: Buffer
  readonly text: string
  readonly headers: IncomingHttpHeaders
}
type AgentOptions = { readonly limits?: Partial<AgentLimits>; readonly uid?: string }
type Scope = { teardown(cleanUp: () => unknown): void }

export class Agent {
  readonly port: number
  readonly fingerprint: string
  readonly folder: CaptureFolder
  readonly clock: { nowMs: number }
  readonly said: string[]
  removals = 0 // that its owner was told of

  private constructor(
    { port, fingerprint }: Pick<Agent, 'port' | 'fingerprint'>,
    folder: CaptureFolder,
    clock: { nowMs: number },
    said: string[],
  ) {
    this.port = port
    this.fingerprint = fingerprint
    this.folder = folder
    this.clock = clock
    this.said = said
  }

  /** It holds the capture shop/web of that uid. */
  static async start(
    t: Scope,
    { api }: Installed,
    { limits = {}, uid = 'uid-1' }: AgentOptions = {},
  ): Promise<Agent> {
    const directory = mkdtempSync(join(tmpdir(), 'selcap-agent-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    const config = join(directory, 'kubeconfig')
    writeFileSync(config, kubeconfig(api.url, api.caFile, api.token), { mode: 0o600 })
    const folder = await CaptureFolder.create({
      captureDir: join(directory, 'captures'),
      capture: { api: 'PacketCapture', namespace: 'shop', name: 'web', uid },
      node,
      nowMs: 0,
    })
    const time = { nowMs: 0 }
    const clock = { now: () => time.nowMs, sleepUntil: async () => {} }
    const said: string[] = []
    const certificate = await makeCertificate(node, [])
    const server = agentServer({
      node,
      certificate,
      limits: { ...agentLimits, ...limits },
      reviews: new Reviews({ kube: await connectKube(config), clock, keptMs: 10_000 }),
      users: [account('selcap-gateway')],
      folderOf: (key, asked) => (key === 'shop/web' && asked === uid ? folder : undefined),
      onRemoved: () => agent.removals++,
      captures: () => [folder.actualState()],
      openStream: () => {
        throw new StreamError('NotOpen', 'Cannot open a stream: nothing is captured here')
      },
      log: pino({ level: 'trace' }, { write: line => said.push(line) }),
    })
    t.teardown(() => server.close())
    const port = await listen(server, 0, pino({ enabled: false }))
    const agent = new Agent(
      { port: port ?? 0, fingerprint: certificate.fingerprint },
      folder,
      time,
      said,
    )
    return agent
  }

  write(name: string, bytes: Buffer | string): void {
    writeFileSync(join(this.folder.directory, name), bytes)
  }

  open({ path, token, method = 'GET', headers = {} }: Request): Promise<IncomingMessage> {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: this.port,
        rejectUnauthorized: false,
        path,
        method,
        agent: false as const,
      }
      request({ ...options, headers: { ...authorization, ...headers } }, resolve)
        .once('error', reject)
        .end()
    })
  }

  async ask(asked: Request): Promise<Answer> {
    const response = await this.open(asked)
    const body = await buffer(response)
    return {
      code: response.statusCode ?? 0,
      body,
      text: body.toString(),
      headers: response.headers,
    }
  }

  /** How many of the capture's files this process has open. */
  openFiles(): number {
    const targets = readdirSync('/proc/self/fd').map(fd => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`)
      } catch {
        return '' // closed meanwhile
      }
    })
    return targets.filter(target => target.startsWith(this.folder.directory)).length
  }
}

/** The token that the gateway makes itself for a node's agent, bound to its pod. */
export async function gatewayToken(
  server: Installed,
  forNode = node,
  name = 'selcap-gateway',
  pod = `${name}-${forNode}`,
): Promise<string> {
  const spec = {
    serviceAccountName: name,
    nodeName: 'node-0',
    containers: [{ name: 'main', image: 'selcap' }],
  }
  await server.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: pod, namespace: systemNamespace },
    spec,
  })
  const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', pod]
  return (
    await server.api.kubectl(
      'create',
      'token',
      name,
      '-n',
      systemNamespace,
      `--audience=${agentAudience(forNode)}`,
      ...bound,
    )
  ).trim()
}

/** The same token with other claims, signed by the API server's own key. */
export function resigned(server: Installed, token: string, claims: object): string {
  const [head = '', body = ''] = token.split('.')
  const payload = { ...JSON.parse(Buffer.from(body, 'base64url').toString()), ...claims }
  const text = `${head}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`
  const key = createPrivateKey(readFileSync(server.api.credentials.keyFile))
  return `${text}.${createSign('RSA-SHA256').update(text).sign(key).toString('base64url')}`
}
