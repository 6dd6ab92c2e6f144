// The demo's applications, one a process in its endpoint's namespace: `web` serves HTTP and a TCP
// bulk sink, `dns` answers A queries for web.demo, `client` asks both, again and again, until it is
// ended.
//   node traffic.ts web | dns WEB_ADDRESS | client DNS_ADDRESS
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { decode, encode } from 'dns-packet'

const [role, address = ''] = process.argv.slice(2)
if (role === 'web') web()
else if (role === 'dns') dns(address)
else await client(address)

function web(): void {
  createHttpServer((request, response) =>
    response.end(`hello ${request.headers['user-agent']}, ${'.'.repeat(800)}\n`),
  ).listen(80)
  createServer(socket => socket.resume()).listen(9_000)
}

function dns(webAddress: string): void {
  const socket = createSocket('udp4')
  socket.on('message', (message, from) => {
    const query = decode(message)
    const answers = (query.questions ?? []).map(({ name }) => ({
      type: 'A' as const,
      name,
      ttl: 1,
      data: webAddress,
    }))
    socket.send(
      encode({ type: 'response', id: query.id ?? 0, questions: query.questions ?? [], answers }),
      from.port,
      from.address,
    )
  })
  socket.bind(53)
}

async function client(dnsAddress: string): Promise<never> {
  const resolver = new Resolver()
  resolver.setServers([dnsAddress])
  for (;;) {
    await askBoth(resolver).catch(() => {}) // the servers may still be starting
    await setTimeout(100)
  }
}

async function askBoth(resolver: Resolver): Promise<void> {
  const [webAddress = ''] = await resolver.resolve4('web.demo')
  await (
    await fetch(`http://${webAddress}/`, {
      headers: { 'user-agent': 'selcap-demo', connection: 'close' },
    })
  ).text()
  const bulk = connect(9_000, webAddress)
  bulk.end(Buffer.alloc(3_000, 'x'))
  await once(bulk.resume(), 'close')
}
