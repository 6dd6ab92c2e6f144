// `kubectl pcap stream` against a server that stands for the gateway, with pcapng bytes of our own
// files: what reaches standard output, a file, and a program that is given Wireshark's arguments.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { noteBlock } from '../../../src/pcap/block.ts'
import { serve, token } from '../../support/kube/fakeGateway.ts'

const filler = Buffer.concat(Array.from({ length: 4_096 }, () => noteBlock()))
const plugin = fileURLToPath(new URL('../../../bin/kubectl-pcap', import.meta.url))
const bytes = Buffer.from('0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000', 'hex')

type Scene = {
  readonly directory: string
  readonly args: (...more: string[]) => string[]
  readonly paths: string[]
}

async function scene(
  t: ExecutionContext,
  answer: (response: ServerResponse) => void,
): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-stream-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const paths: string[] = []
  const { url, caFile } = await serve(t, (request, response) => {
    paths.push(request.url ?? '')
    answer(response)
  })
  const file = join(directory, 'kubeconfig')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
    'current-context': 'x',
  }
  writeFileSync(file, JSON.stringify(config))
  const common = [
    '--kubeconfig',
    file,
    '--api',
    'packetcapture',
    '--api-group',
    'projectcalico.org',
    '--gateway',
    url,
    '--gateway-ca',
    caFile,
  ]
  return { directory, paths, args: (...more) => ['stream', 'web', ...common, ...more] }
}

async function run(
  args: readonly string[],
): Promise<{ code: number | null; out: Buffer; err: string }> {
  const child = spawn(plugin, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err] = await Promise.all([
    buffer(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  return { code: child.exitCode, out, err }
}

test('kubectl pcap stream writes what comes to standard output', async t => {
  const { args, paths } = await scene(t, response => response.end(bytes))
  const { code, out, err } = await run(args())
  t.is(code, 0, err)
  t.deepEqual(out, bytes)
  t.deepEqual(paths, ['/v1/namespaces/shop/packetcaptures/web/stream'])
})

test('kubectl pcap stream --write writes a file', async t => {
  const { args, directory } = await scene(t, response => response.end(bytes))
  const { code, err } = await run(args('--write', join(directory, 'live.pcapng')))
  t.is(code, 0, err)
  t.deepEqual(readFileSync(join(directory, 'live.pcapng')), bytes)
})

test('kubectl pcap stream --wireshark starts it on its standard input, and ends with it', async t => {
  const { args, directory } = await scene(t, response => response.write(bytes)) // and goes on
  const program = join(directory, 'shark')
  writeFileSync(
    program,
    `#!/bin/sh\necho "$@" >"${directory}/arguments"\nhead -c ${bytes.length} >"${directory}/input"\n`,
  )
  chmodSync(program, 0o755)
  const { code, err } = await run(args('--wireshark', program))
  t.is(code, 0, err)
  t.is(readFileSync(join(directory, 'arguments'), 'utf8'), '-k -i -\n')
  t.deepEqual(readFileSync(join(directory, 'input')), bytes)
})

test('kubectl pcap stream ends quietly when its reader has enough', async t => {
  const { args } = await scene(t, response => {
    const more = setInterval(() => response.write(filler), 1)
    response.on('close', () => clearInterval(more))
  })
  const child = spawn(plugin, args(), { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.once('data', () => child.stdout.destroy())
  const [err] = await Promise.all([text(child.stderr), once(child, 'close')])
  t.deepEqual([child.exitCode, err], [0, ''])
})

test('kubectl pcap stream goes on when the stream breaks off, and tells what is missing', async t => {
  const interfaceBlock = Buffer.from('0100000014000000010000000000000014000000', 'hex')
  const packet = (id: number) => {
    const block = Buffer.alloc(36)
    block.writeUInt32LE(6, 0)
    for (const at of [4, 32]) block.writeUInt32LE(36, at)
    block.writeUInt32LE(id, 8)
    return block
  }
  let tries = 0
  const { args } = await scene(t, response => {
    tries++
    if (tries === 2) response.writeHead(503).end('not ready yet\n')
    else response.write(Buffer.concat([bytes, interfaceBlock, packet(0)]))
    if (tries === 3) response.end()
    if (tries === 1) response.write(packet(0).subarray(0, 20), () => response.destroy()) // within a block
  })
  const { code, out, err } = await run(args())
  t.is(code, 0, err)
  t.regex(err, /^The stream broke off \(.+\): packets from \S+Z to \S+Z are missing\n$/)
  const missing = /packets from .* are missing/.exec(err)?.[0] ?? ''
  const expected = [bytes, interfaceBlock, packet(0), noteBlock(missing), interfaceBlock, packet(1)]
  t.deepEqual(out, Buffer.concat(expected))
})

test('kubectl pcap stream exits 8 when it may not have the rest', async t => {
  let tries = 0
  const { args } = await scene(t, response => {
    tries++
    if (tries === 1) response.write(bytes, () => response.destroy())
    else response.writeHead(403).end('may not get packetcaptures/stream\n')
  })
  const { code, err } = await run(args())
  t.is(code, 8, err)
  t.is(err, 'Cannot stream any longer: Cannot stream shop/web: may not get packetcaptures/stream\n')
})

test('kubectl pcap stream exits 8 when the stream breaks off, and is not to be taken up again', async t => {
  const { args } = await scene(t, response => response.write(bytes, () => response.destroy()))
  const { code, out, err } = await run(args('--reconnect', '0'))
  t.is(code, 8, err)
  t.deepEqual(out, bytes)
  t.regex(err, /^Cannot stream any longer: /)
})

test('kubectl pcap stream exits 130 when it is interrupted', async t => {
  const { args } = await scene(t, response => response.write(bytes))
  const child = spawn(plugin, args(), { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.once('data', () => child.kill('SIGINT'))
  const [err] = await Promise.all([text(child.stderr), once(child, 'close')])
  t.deepEqual([child.exitCode, err], [130, ''])
})

for (const [what, flags, status, code, said] of [
  ['is refused', [], 403, 4, /^Cannot stream shop\/web: may not get packetcaptures\/stream\n$/],
  [
    'finds no program',
    ['--wireshark', '/nowhere/shark'],
    200,
    1,
    /^Cannot start Wireshark: spawn \/nowhere\/shark ENOENT\n$/,
  ],
  [
    'has no place to write',
    ['--write', '/nowhere/live.pcapng'],
    200,
    2,
    /^Cannot write \/nowhere\/live.pcapng: ENOENT/,
  ],
  ['has two places to go', ['--wireshark', 'x', '--write', 'y'], 200, 2, /expected one of them/],
] as const) {
  test(`kubectl pcap stream exits ${code} when it ${what}`, async t => {
    const { args } = await scene(t, response =>
      response
        .writeHead(status)
        .end(status === 200 ? bytes : 'may not get packetcaptures/stream\n'),
    )
    const answer = await run(args(...flags))
    t.is(answer.code, code, answer.err)
    t.regex(answer.err, said)
  })
}

test('the certificate of a gateway that is named has to be a good one', async t => {
  const { args } = await scene(t, response => response.end(bytes))
  const { code, err } = await run(args().slice(0, -2))
  t.is(code, 1)
  t.regex(
    err,
    /^Cannot reach the gateway at https:\/\/127\.0\.0\.1:\d+: (self-signed|unable to verify)/,
  )
})

for (const [what, left] of [
  ['its kind', ['--api', 'packetcapture']],
  ['its kind or group', ['--api', 'packetcapture', '--api-group', 'projectcalico.org']],
] as const)
  test(`kubectl pcap stream takes a name without ${what} for that of a PacketCapture when it reaches the gateway alone`, async t => {
    const { args, paths } = await scene(t, response => response.end(bytes))
    const words: readonly string[] = left
    const { code, out, err } = await run(args().filter(word => !words.includes(word)))
    t.is(code, 0, err)
    t.deepEqual(out, bytes)
    t.deepEqual(paths, ['/v1/namespaces/shop/packetcaptures/web/stream'])
  })

test('kubectl pcap stream fails when it reaches no API server, and no gateway is named', async t => {
  const { args, paths } = await scene(t, response => response.end(bytes))
  const words = args()
  const at = words.indexOf('--gateway')
  const { code, err } = await run(words.filter((_, index) => index !== at && index !== at + 1))
  t.is(code, 1)
  t.regex(err, /^Cannot reach the API server: /)
  t.deepEqual(paths, [])
})
