// Throughput of one large file through the gateway (two TLS connections and a checksum), compared
// with nginx on the node that serves the same file by HTTPS (one connection). Real agent, gateway
// and API server in network namespaces; curl as the client; alternating pairs. Needs root, curl and
// nginx.
//   node_modules/.bin/node bench/download.ts [MEBIBYTES]
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { makeCertificate } from '../src/auth/selfSignedCertificate.ts'
import { addBigFile, makeStage } from '../test/support/kube/gatewayFixture.ts'
import type { SimulatedCluster } from '../test/support/kube/simulated.ts'
import type { Scope } from '../test/support/net/namespace.ts'
import { median } from './median.ts'
import { withCluster } from './withCluster.ts'

const bytes = Number(process.argv[2] ?? 1_024) * 1_048_576
const pairs = 5
const gateway = 'https://198.19.255.1:8443'
const nginxPort = 8_444

await withCluster(main)

async function main(cluster: SimulatedCluster, scope: Scope): Promise<void> {
  const stage = await makeStage(cluster)
  const { name, path } = await addBigFile(stage, bytes)
  await startNginx(cluster, scope, { netns: stage.node.namespace.path, directory: dirname(path) })
  const ours = `${gateway}/v1/namespaces/shop/packetcaptures/web/files/node-1/${name}`
  const theirs = `https://198.19.0.1:${nginxPort}/${name}`
  const [first] = [speed(cluster, ours, stage.dev), speed(cluster, theirs)]
  const rows: { readonly ours: number; readonly theirs: number }[] = []
  for (let pair = 0; pair < pairs; pair++)
    rows.push({ ours: speed(cluster, ours, stage.dev), theirs: speed(cluster, theirs) })
  const ratios = rows.map(row => row.theirs / row.ours)
  const [gatewayMbs, nginxMbs] = [
    rows.map(row => row.ours / 1e6),
    rows.map(row => row.theirs / 1e6),
  ]
  process.stdout.write(
    `${bytes / 1_048_576} MiB: gateway ${shown(rows.map(row => row.ours))} MB/s (the first time ${Math.round(first / 1e6)}: its checksum is made), ` +
      `nginx ${shown(rows.map(row => row.theirs))} MB/s; nginx is ${median(ratios).toFixed(2)} times as fast (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})\n`,
  )
  const results = {
    mebibytes: bytes / 1_048_576,
    firstMbs: first / 1e6,
    gatewayMbs: median(gatewayMbs),
    nginxMbs: median(nginxMbs),
    ratio: median(ratios),
  }
  process.stdout.write(`${JSON.stringify({ bench: 'download', results })}\n`)
}

type Site = { readonly netns: string; readonly directory: string }

async function startNginx(
  cluster: SimulatedCluster,
  scope: Scope,
  { netns, directory }: Site,
): Promise<void> {
  const place = join(cluster.directory, 'nginx')
  mkdirSync(place)
  const { key, cert } = await makeCertificate('nginx', [])
  writeFileSync(join(place, 'key.pem'), key, { mode: 0o600 })
  writeFileSync(join(place, 'cert.pem'), cert)
  const server = `server { listen ${nginxPort} ssl; ssl_certificate ${place}/cert.pem; ssl_certificate_key ${place}/key.pem; root ${directory}; }`
  const config = `user root; daemon off; pid ${place}/pid; error_log ${place}/error.log; worker_processes 1; events {} http { access_log off; sendfile on; ${server} }`
  writeFileSync(join(place, 'nginx.conf'), config)
  const nginx = spawn(
    'nsenter',
    [
      `--net=${netns}`,
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
      'nginx',
      '-e',
      `${place}/error.log`,
      '-c',
      join(place, 'nginx.conf'),
    ],
    {
      stdio: 'inherit',
    },
  )
  scope.teardown(() => nginx.kill('SIGTERM'))
  await after(500)
}

/** Bytes a second, measured by curl. */
function speed({ networkPath }: SimulatedCluster, url: string, token?: string): number {
  const headers = token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`]
  const curl = [
    'curl',
    '--silent',
    '--fail',
    '--insecure',
    '--output',
    '/dev/null',
    '--write-out',
    '%{size_download} %{time_total}',
    ...headers,
    url,
  ]
  const [size = 0, seconds = 1] = execFileSync('nsenter', [`--net=${networkPath}`, ...curl], {
    encoding: 'utf8',
  })
    .split(' ')
    .map(Number)
  if (size !== bytes)
    throw new Error(`Cannot measure ${url}: expected ${bytes} bytes, found ${size}`)
  return size / seconds
}

function shown(values: readonly number[]): string {
  const mega = values.map(value => Math.round(value / 1e6))
  return `${median(mega)} (${Math.min(...mega)} to ${Math.max(...mega)})`
}
