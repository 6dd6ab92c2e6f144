// Packets as they are sent: `kubectl pcap stream` by the real kubectl, and Wireshark's extcap by
// the real tshark, through the service proxy of a real API server, from a real gateway and real
// agents.
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  addGateway,
  makeStage,
  type Stage,
  untilState,
} from '../../../support/kube/pluginFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { root } from '../../../support/repository.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()

const onStage = shared((): Promise<Stage> => prepare())

async function prepare(): Promise<Stage> {
  const stage = await makeStage(cluster())
  await addGateway(cluster())
  await stage.pcap('create', 'web', '-l', 'app == "web"', '--protocol', 'UDP', '--wait')
  return stage
}

/** Interface name and length of each packet of a file that is perhaps still written. */
function packetsIn(file: string): string[] {
  if (!existsSync(file)) return []
  const { stdout } = tsharkOn(file)
  return stdout.split('\n').filter(line => line !== '')
}

function tsharkOn(file: string): { readonly stdout: string } {
  const args = ['-r', file, '-T', 'fields', '-e', 'frame.interface_name', '-e', 'frame.len']
  try {
    return {
      stdout: execFileSync('tshark', args, {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    }
  } catch (error) {
    return error as { stdout: string } // cut off in the midst of a packet
  }
}

clusterTest(
  'kubectl pcap stream has the packets of all pods as they come, and ends with the capture',
  async t => {
    const stage = await onStage()
    const file = join(cluster().directory, 'live.pcapng')
    const streaming = stage.pcap('stream', 'web', '--write', file)
    // A stream begins when its taps are open; which that is, packets tell.
    await until('packets of both pods', async () => {
      for (const pod of stage.pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 1 })
      return new Set(packetsIn(file).map(line => line.split('\t')[0])).size === 2
    })
    const before = packetsIn(file).length
    for (const pod of stage.pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 10 })
    await until('20 packets more', () => packetsIn(file).length >= before + 20)
    await stage.pcap('stop', 'web')
    const { code, err } = await streaming
    t.is(code, 0, err)
    t.deepEqual(
      new Set(packetsIn(file).map(line => line.split('\t')[0])),
      new Set(stage.pods.map(({ hostName }) => hostName)),
    )
  },
)

clusterTest(
  'kubectl pcap stream exits 4 where the right is missing, and 5 or 3 where nothing is captured',
  async t => {
    const stage = await onStage()
    const refused = await stage.pcap(
      'stream',
      'web',
      '-n',
      'other',
      '--write',
      join(cluster().directory, 'none'),
    )
    t.is(refused.code, 4)
    t.regex(refused.err, /may not get packetcaptures\/stream/)
    t.is(
      (await stage.pcap('stream', 'nothing', '--write', join(cluster().directory, 'none'))).code,
      3,
    )
  },
)

/** As root tshark takes extcap programs from its own folder alone; ours lies there, for it. */
function tsharkWith(folder: string, ...args: readonly string[]): string[] {
  const folders = execFileSync('tshark', ['-G', 'folders'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [, own = ''] =
    /^Global Extcap path:\s+(\S+)$/m.exec(folders) ?? /^Extcap path:\s+(\S+)$/m.exec(folders) ?? []
  const script = `mount --bind ${folder} ${own} && exec nsenter --net=${cluster().networkPath} tshark "$@"`
  return ['--mount', 'sh', '-c', script, 'tshark', ...args]
}

clusterTest(
  'tshark lists the captures of the cluster as interfaces, and captures from one',
  async t => {
    const { userKubeconfig, pcap, pods } = await onStage()
    t.is(
      (await pcap('create', 'db.v2', '-l', 'app == "web"', '--protocol', 'UDP', '--wait')).code,
      0,
    )
    const folder = join(cluster().directory, 'extcap')
    mkdirSync(folder)
    symlinkSync(join(root, 'bin', 'selcap-extcap'), join(folder, 'selcap-extcap'))
    const env = { ...process.env, KUBECONFIG: userKubeconfig }
    const { stdout: list } = await promisify(execFile)('unshare', tsharkWith(folder, '-D'), { env })
    t.regex(list, /^\d+\. selcap-shop\.db\.v2 \(Capture shop\/db\.v2 \(WaitingForTraffic\)\)$/m)
    t.notRegex(list, /selcap-shop\.web /) // it has finished
    const args = tsharkWith(
      folder,
      '-i',
      'selcap-shop.db.v2',
      '-c',
      '6',
      '-T',
      'fields',
      '-e',
      'udp.dstport',
    )
    const child = spawn('unshare', args, { env, stdio: ['ignore', 'pipe', 'ignore'] })
    t.teardown(() => child.kill('SIGKILL'))
    const closed = once(child, 'close')
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    await until('its end', async () => {
      for (const pod of pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 1 })
      return child.exitCode !== null
    })
    await closed
    t.is(said, '9\n'.repeat(6))
    await untilState(await onStage(), 'db.v2', ({ status }) => (status?.packets ?? 0) >= 6)
  },
)
