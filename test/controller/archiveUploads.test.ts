// Archives of Retina's captures go to the store that the capture names: it is complete when they are there, and not before.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import test from 'ava'
import type { RetinaStatus } from '../../src/status/retina.ts'
import { serverAddress } from '../cluster/simulated.ts'
import { useSimulated } from '../cluster/useSimulated.ts'
import { bucket, s3Secret, startS3 } from '../output/s3Server.ts'
import { sha256Of } from '../output/source.ts'
import { root } from '../repo/tree.ts'
import { readRecords } from '../taps/captureFile.ts'

const { cluster, clusterTest } = useSimulated()
const cleanUps: (() => unknown)[] = []
test.after.always(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp()
})

clusterTest('an archive goes to the bucket as soon as that can be reached, and the capture is complete when it is there', async t => {
  await cluster().api.kubectl('apply', '-k', join(root, 'daemonset/apis/retina'))
  await cluster().api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
  await cluster().api.kubectl('create', 'namespace', 'shop')
  const node = await cluster().addNode('node-1')
  const pod = await node.addPod('shop', 'web-0', { app: 'web' })
  const config = join(cluster().directory, 'settings.yaml')
  writeFileSync(config, 'outputHttp: Allowed\ncaptureDiskFreePercentMin: 0\n')
  await node.startAgent(['--apis', 'retina', '--config', config])
  const args = ['controller', '--apis', 'retina', '--config', config, '--metrics-host', '127.0.0.1', '--metrics-port', '0']
  const controller = await cluster().runInPod('controller', 'selcap-controller', args)
  const s3 = await startS3(
    { teardown: cleanUp => cleanUps.push(cleanUp) },
    { at: { address: serverAddress, netns: cluster().networkPath } },
  )
  await s3.stop('SIGKILL')

  const until = async (what: string, isSo: (status: Partial<RetinaStatus>) => boolean): Promise<Partial<RetinaStatus>> => {
    const endMs = Date.now() + 120_000
    for (;;) {
      const { status = {} } = await cluster().get<{ status?: Partial<RetinaStatus> }>('captures.retina.sh', 'web', '-n', 'shop')
      if (isSo(status)) return status
      if (Date.now() > endMs) throw new Error(`Waited in vain for ${what}: ${JSON.stringify(status)}\n${controller.tail(20)}`)
      await after(200)
    }
  }
  const endpoint = `http://${serverAddress}:${s3.port}`
  await cluster().apply({
    apiVersion: 'retina.sh/v1alpha1',
    kind: 'Capture',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      captureConfiguration: {
        captureTarget: { podSelector: { matchLabels: { app: 'web' } } },
        captureOption: { duration: '15s', pcapFilter: 'udp' },
        includeMetadata: false,
      },
      outputConfiguration: { s3Upload: { bucket, secretName: 'keys', endpoint, region: 'us-east-1', path: 'retina' } },
    },
  })
  await until('a tap', ({ files = [] }) => files[0]?.state === 'WaitingForTraffic')
  await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 7 })

  const missing = await until('word of the Secret', ({ conditions = [] }) => conditions.some(({ reason }) => reason === 'FindSecretFailed'))
  const [condition, ...more] = missing.conditions?.filter(({ type }) => type === 'error') ?? []
  t.deepEqual(more, [])
  t.is(missing.files?.[0]?.artifact, undefined) // told while it captures, not when the archive is to be sent
  t.true(condition?.message.startsWith('secret of Capture is not found when blobupload is enabled, secretName: keys/shop'))
  await cluster().apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace: 'shop' }, stringData: s3Secret })
  const isFailed = ({ conditions = [] }: Partial<RetinaStatus>) => conditions.some(({ reason }) => reason === 'UploadFailed')
  const failed = await until('the failure', isFailed)
  t.is(failed.completionTime, undefined)
  t.is(failed.active, 1)
  await s3.start()
  const done = await until('completion', ({ conditions = [] }) =>
    conditions.some(({ type, status }) => type === 'complete' && status === 'True'),
  )
  t.false(isFailed(done))
  const [file] = done.files ?? []
  const [upload, ...others] = file?.uploads ?? []
  t.deepEqual(others, [])
  const archive = basename(file?.artifact?.files[0]?.path ?? '')
  t.regex(archive, /^web-node-1-\d{14}UTC\.tar\.gz$/)
  t.like(upload, { file: archive, output: 's3Upload', error: undefined })
  t.is(upload?.uploaded, `${endpoint}/${bucket}/retina/${archive}`) // as Retina names them
  const path = join(s3.objects, (upload?.uploaded ?? '').slice(`${endpoint}/${bucket}/`.length))
  t.is(await sha256Of(path), upload?.sha256 ?? '')
  const names = execFileSync('tar', ['-tzf', path], { encoding: 'utf8' }).split('\n')
  const pcap = names.find(name => name.endsWith('.pcap')) ?? ''
  t.is(readRecords(execFileSync('tar', ['-xzOf', path, pcap]), 'pcap').length, 7)
})
