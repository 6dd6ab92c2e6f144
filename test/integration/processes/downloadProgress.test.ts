// What a person sees of a download, on a terminal and elsewhere; and of colour where it is not
// wanted.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { serve, token } from '../../support/kube/fakeGateway.ts'

const plugin = fileURLToPath(new URL('../../../bin/kubectl-pcap', import.meta.url))
const parts = 20
const bytes = Buffer.alloc(parts * 100_000, 7)
const file = { node: 'node-1', file: 'web-0_cali1.pcap', bytes: bytes.length, active: false }

/** A gateway that takes its time, and the command that downloads from it. */
async function command(t: ExecutionContext): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-progress-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const { url, caFile } = await serve(t, (request, response) => {
    if (request.url?.endsWith('/files')) response.end(JSON.stringify({ files: [file], nodes: [] }))
    else sendSlowly(response)
  })
  const clusters = [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }]
  const contexts = [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'shop' } }]
  const users = [{ name: 'u', user: { token } }]
  const config = join(directory, 'kubeconfig')
  writeFileSync(
    config,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters,
      contexts,
      users,
      'current-context': 'x',
    }),
  )
  const flags = `--kubeconfig ${config} --api packetcapture --api-group projectcalico.org --gateway ${url} --gateway-ca ${caFile}`
  return `${plugin} download web --dest ${join(directory, 'files')} ${flags}`
}

function sendSlowly(response: ServerResponse): void {
  const digest = createHash('sha256').update(bytes).digest('base64')
  response.writeHead(200, {
    etag: '"v1"',
    'content-length': bytes.length,
    'repr-digest': `sha-256=:${digest}:`,
  })
  let sent = 0
  const timer = setInterval(() => {
    response.write(bytes.subarray((sent * bytes.length) / parts, (++sent * bytes.length) / parts))
    if (sent < parts) return
    clearInterval(timer)
    response.end()
  }, 100)
}

test('kubectl pcap download draws a bar with rate and remaining time on a terminal, and takes it away', async t => {
  const child = spawn('script', ['-qec', `stty columns 120; ${await command(t)}`, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = await Promise.all([text(child.stdout), once(child, 'close')])
  const shown = said.replaceAll('\u001b', '<esc>')
  t.regex(
    shown,
    /\r<esc>\[K\[#+-+\] +\d+ % {3}\d+(\.\d)? [kM]B of 2\.0 MB {3}\d+(\.\d)? [kM]B\/s {3}\d+s left/,
  )
  t.regex(shown, /\r<esc>\[KDownloaded 1 file, 2\.0 MB, verified, to \S+\r\n$/)
  t.is(child.exitCode, 0)
})

test('kubectl pcap download says one line where nobody is looking', async t => {
  const child = spawn('sh', ['-c', await command(t)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  t.regex(out, /^Downloaded 1 file, 2\.0 MB, verified, to \S+\n$/)
  t.is(err, '')
})
