// A wire between an uploader and a server, which a test cuts, slows down and bends. It passes bytes
// on, unread, and counts them.
//   const wire = await startWire(t, () => server.port)     gone with the test
//   wire.sentBytes                                         towards the server
//   wire.onBytes = total => total > 20e6 && wire.cut()     called as they pass
//   wire.bend = chunk => chunk                             what the server gets instead
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Scope } from '../net/namespace.ts'

export class Wire {
  readonly port: number
  sentBytes = 0
  connections = 0
  /** Takes no bytes on any more, and says nothing. */
  isSilent = false
  onBytes: (sentBytes: number) => void = () => {}
  bend: (chunk: Buffer) => Buffer = chunk => chunk
  readonly #sockets = new Set<Socket>()
  readonly #server: Server

  constructor(server: Server, target: () => number) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    server.on('connection', socket => this.#join(socket, connect(target(), '127.0.0.1')))
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** All connections there are; new ones are passed on again. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  close(): void {
    this.#server.close()
    this.cut()
  }

  #join(near: Socket, far: Socket): void {
    this.connections++
    for (const socket of [near, far]) {
      this.#sockets.add(socket.setNoDelay(true))
      socket
        .on('error', () => {})
        .on('close', () => {
          this.#sockets.delete(socket)
          for (const other of [near, far]) other.destroy()
        })
    }
    near.on('data', chunk => {
      if (this.isSilent) return
      this.sentBytes += chunk.length
      if (!far.write(this.bend(chunk))) {
        near.pause()
        far.once('drain', () => near.resume())
      }
      this.onBytes(this.sentBytes)
    })
    far.pipe(near)
  }
}

export async function startWire(scope: Scope, target: () => number): Promise<Wire> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const wire = new Wire(server, target)
  scope.teardown(() => wire.close())
  return wire
}
