// A proxy as companies have one between people and their clusters: takes CONNECT and nothing else,
// and prints where to. Runs in a simulated cluster's network: `connectProxy.ts PORT`.
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'

const server = createServer((_, response) => response.writeHead(405).end())
server.on('connect', ({ url = '' }, from: Socket, head: Buffer) => {
  process.stdout.write(`CONNECT ${url}\n`)
  const { hostname, port } = new URL(`http://${url}`)
  const to = connect(Number(port), hostname, () => {
    from.write('HTTP/1.1 200 Connection established\r\n\r\n')
    to.write(head)
    from.pipe(to).pipe(from)
  })
  for (const [one, other] of [
    [from, to],
    [to, from],
  ] as const)
    one.on('error', () => other.destroy()).on('close', () => other.destroy())
})
server.listen(Number(process.argv[2]), () => process.stdout.write('listening\n'))
