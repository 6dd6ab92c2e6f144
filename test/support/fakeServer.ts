// An API server for unit tests: objects by path, and what was asked. In: the answers. Out: a
// client. What it does not have is answered with 404; a request that is no GET succeeds.
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Kube } from '../../src/kube/request.ts'

export function fakeServer(objects: Readonly<Record<string, object>>): {
  readonly kube: Kube
  readonly asked: string[]
} {
  const asked: string[] = []
  const kube: Kube = async ({ path, method = 'GET' }) => {
    asked.push(`${method} ${path}`)
    const found = objects[path]
    const statusCode = found === undefined ? 404 : 200
    const body = Buffer.from(JSON.stringify(found ?? { message: `${path} not found` }))
    return Object.assign(Readable.from([body]), {
      statusCode,
      headers: {},
    }) as unknown as IncomingMessage
  }
  return { kube, asked }
}
