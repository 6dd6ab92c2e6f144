// Carries TCP connections into another network namespace, by way of a socket file: one half listens
// on the file inside, the other on loopback outside. As a program (`forward.ts FILE HOST PORT`) it
// is the half inside.
import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * Connections to a free port of loopback go to the socket file. Resolves to the port, when it
 * listens.
 */
export async function forwardTo(
  file: string,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer(from => join(from, connect(file)))
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(0, '127.0.0.1', resolve),
  )
  const address = server.address()
  return { server, port: typeof address === 'object' && address ? address.port : 0 }
}

function join(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.pipe(to)
    from.on('error', () => to.destroy()).on('close', () => to.destroy())
  }
}

if (import.meta.main) {
  const [file = '', host = '', port = ''] = process.argv.slice(2)
  createServer(from => join(from, connect(Number(port), host))).listen(file)
}
