// A server that is killed in the middle of an upload and started again: the same for all kinds.
// Out: what came of the upload.

import { until } from '../until.ts'
import type { Wire } from './faultyProxy.ts'
import type { TestServer } from './server.ts'

const killedAtBytes = 18 * 1024 * 1024 // of those that go to it

export async function putThroughKill<T>(
  server: TestServer,
  wire: Wire,
  put: () => Promise<T>,
): Promise<T> {
  const killed = new Promise<void>(resolve => {
    wire.onBytes = sent => {
      if (sent < killedAtBytes) return
      wire.onBytes = () => {}
      resolve(server.stop('SIGKILL'))
    }
  })
  const done = put()
  await killed
  const { connections } = wire
  await until('a try that meets nobody', () => wire.connections > connections)
  await server.start()
  return done
}
