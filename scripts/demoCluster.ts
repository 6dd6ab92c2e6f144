// npm run demo:cluster: a real Kubernetes node with its control plane in namespaces of its own,
// selcap installed on it with `kubectl apply -k daemonset/base`, two pods that talk HTTP, one
// PacketCapture, and what a user sees of it. Needs root. Nothing of the machine is touched. --keep
// leaves it running, with a kubeconfig, until Ctrl-C.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { busyboxPod } from '../test/support/kube/node/config.ts'
import { installSelcap } from '../test/support/kube/node/install.ts'
import { type Node, startNode } from '../test/support/kube/node/node.ts'
import { toolPath } from '../test/support/kube/tools.ts'
import { forwardTo } from './demo/forward.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const isKept = process.argv.includes('--keep')
const states = ['Scheduled', 'Capturing', 'Finished']
const captureDir = '/var/log/calico/pcap/demo/web' // on the node

if (process.getuid?.() !== 0) {
  process.stderr.write(
    'Cannot make a Kubernetes node: expected to be root, for cgroups and mounts. Run: sudo npm run demo:cluster\n',
  )
  process.exitCode = 1
} else await demo()

async function demo(): Promise<void> {
  const stop = new AbortController()
  process.on('SIGINT', () => stop.abort())
  say(
    'Starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler, containerd and kubelet',
  )
  await using node = await startNode()

  say('kubectl apply -k daemonset/base')
  await installSelcap(node)
  print(await node.kubectl('get', 'pods', '-n', 'selcap-system'))

  say('Two pods: web answers HTTP, client asks it every half second')
  await node.kubectl('create', 'namespace', 'demo')
  await node.apply(
    busyboxPod('demo', 'web-0', { app: 'web' }, 'echo hello >/www/index.html; httpd -f -h /www'),
  )
  await node.kubectl('wait', '-n', 'demo', '--for=condition=Ready', 'pod/web-0', '--timeout=60s')
  const address = await node.kubectl(
    'get',
    'pod',
    'web-0',
    '-n',
    'demo',
    '-o',
    'jsonpath={.status.podIP}',
  )
  await node.apply(
    busyboxPod(
      'demo',
      'client',
      { app: 'client' },
      `while :; do wget -qO- http://${address}/; sleep 0.5; done`,
    ),
  )
  await node.kubectl('wait', '-n', 'demo', '--for=condition=Ready', 'pod/client', '--timeout=60s')

  const capture = captureText(Date.now())
  say('kubectl apply -f -')
  print(capture)
  await node.apply(capture)
  say('kubectl get packetcaptures -n demo')
  for (const state of states) {
    await reached(node, state, stop.signal)
    print(await node.kubectl('get', 'packetcaptures', '-n', 'demo'))
  }
  say('kubectl get packetcaptures web -n demo -o yaml')
  print(await node.kubectl('get', 'packetcaptures', 'web', '-n', 'demo', '-o', 'yaml'))
  say('kubectl get events -n demo --field-selector involvedObject.kind=PacketCapture')
  print(
    await node.kubectl(
      'get',
      'events',
      '-n',
      'demo',
      '--field-selector',
      'involvedObject.kind=PacketCapture',
    ),
  )
  say('tcpdump -n -c 8 -r the first file')
  print(
    await node.run(
      'bash',
      '-c',
      `tcpdump -n -c 8 -r "$(ls ${captureDir}/*.pcap | head -1)" 2>/dev/null`,
    ),
  )
  if (isKept) await keep(node, stop.signal)
  say('Taking it all down')
}

function captureText(nowMs: number): string {
  const at = (seconds: number) => new Date(nowMs + seconds * 1_000).toISOString()
  return `apiVersion: projectcalico.org/v3
kind: PacketCapture
metadata:
  name: web
  namespace: demo
spec:
  selector: app == 'web'
  filters:
    - protocol: TCP
      ports: [80]
  startTime: '${at(3)}'
  endTime: '${at(10)}'
`
}

// The state may have passed already: a busy machine may read it late.
async function reached(node: Node, state: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + 30_000
  const now = () =>
    node.kubectl('get', 'packetcapture', 'web', '-n', 'demo', '-o', 'jsonpath={.status.state}')
  while (states.indexOf(await now()) < states.indexOf(state)) {
    signal.throwIfAborted()
    if (performance.now() > deadline)
      throw new Error(
        `Cannot go on: the capture did not become ${state} within 30 s, it is "${await now()}"`,
      )
    await after(100)
  }
}

async function keep(node: Node, signal: AbortSignal): Promise<void> {
  const { url, caFile, token } = node.api
  const { hostname, port } = new URL(url)
  const socket = join(node.directory, 'api.sock')
  const [nsenter = '', ...rest] = [
    ...node.within,
    process.execPath,
    join(root, 'scripts', 'demo', 'forward.ts'),
    socket,
    hostname,
    port,
  ]
  const inside = spawn(nsenter, rest, { stdio: 'inherit' })
  while (!existsSync(socket)) await after(20)
  const forward = await forwardTo(socket)
  const file = join(node.directory, 'demo.kubeconfig')
  const cluster = {
    server: `https://127.0.0.1:${forward.port}`,
    'tls-server-name': hostname,
    'certificate-authority': caFile,
  }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'selcap', cluster }],
    users: [{ name: 'selcap', user: { token } }],
    contexts: [{ name: 'selcap', context: { cluster: 'selcap', user: 'selcap' } }],
    'current-context': 'selcap',
  }
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  say(
    `Kept until Ctrl-C. In another terminal:\n  export KUBECONFIG=${file}\n  ${toolPath('kubectl')} get packetcaptures -A --watch`,
  )
  if (!signal.aborted) await once(signal, 'abort')
  inside.kill('SIGKILL')
  forward.server.close()
}

function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
}

function say(what: string): void {
  process.stdout.write(`\n▶ ${what}\n`)
}
