import type { IncomingMessage } from 'node:http'
import test from 'ava'
import { logged } from '../../../../src/kube/kubeconfig/requestLog.ts'
import type { Kube } from '../../../../src/kube/request.ts'

const answer = { statusCode: 200, headers: { 'set-cookie': ['secret'], date: 'today' } }
const kube: Kube = async () => answer as unknown as IncomingMessage
const request = {
  path: '/api',
  query: { a: 'b' },
  headers: { authorization: 'Bearer secret', accept: 'x' },
  signal: AbortSignal.timeout(60_000),
}

async function saidAt(verbosity: number): Promise<string[]> {
  const lines: string[] = []
  await logged(kube, 'https://a.test', verbosity, line => void lines.push(line))(request)
  return lines.map(line => line.replace(/\d+ ms/, 'N ms'))
}

test('nothing below 6, then requests, headers, and those of the answer, without secrets', async t => {
  t.deepEqual(await saidAt(5), [])
  const asked = 'GET https://a.test/api?a=b 200 in N ms'
  t.deepEqual(await saidAt(6), [asked])
  const sent = ['> authorization: <masked>', '> accept: x']
  t.deepEqual(await saidAt(7), [...sent, asked])
  t.deepEqual(await saidAt(8), [...sent, asked, '< set-cookie: <masked>', '< date: today'])
})

test('a failure is told too', async t => {
  const lines: string[] = []
  const failing: Kube = () => Promise.reject(new Error('no route'))
  await t.throwsAsync(logged(failing, 'https://a.test', 6, line => void lines.push(line))(request))
  t.regex(lines[0] ?? '', /^GET https:\/\/a\.test\/api\?a=b failed in \d+ ms: no route$/)
})
