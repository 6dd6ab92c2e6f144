// Archives of Retina's captures go to the store that the capture names: it is complete when they
// are there, and not before.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import test from 'ava'
import {
  type ArchiveStatus,
  archivedCapture,
  installRetina,
  isOpenOn,
  untilStatus,
} from '../../../support/kube/archives.ts'
import { serverAddress } from '../../../support/kube/simulated.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { bucket, s3Secret, startS3 } from '../../../support/stores/s3Server.ts'
import { sha256Of } from '../../../support/stores/source.ts'

const { cluster, clusterTest } = useSimulated()
const cleanUps: (() => unknown)[] = []
test.after.always(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp()
})

clusterTest(
  'an archive goes to the bucket as soon as that can be reached, and the capture is complete when it is there',
  async t => {
    await installRetina(cluster())
    const node = await cluster().addNode('node-1')
    const pod = await node.addPod('shop', 'web-0', { app: 'web' })
    const config = join(cluster().directory, 'settings.yaml')
    writeFileSync(config, 'outputHttp: Allowed\ncaptureDiskFreePercentMin: 0\n')
    await node.startAgent(['--apis', 'retina', '--config', config])
    const args = [
      'controller',
      '--apis',
      'retina',
      '--config',
      config,
      '--metrics-host',
      '127.0.0.1',
      '--metrics-port',
      '0',
    ]
    const controller = await cluster().runInPod('controller', 'selcap-controller', args)
    const s3 = await startS3(
      { teardown: cleanUp => cleanUps.push(cleanUp) },
      { at: { address: serverAddress, netns: cluster().networkPath } },
    )
    await s3.stop('SIGKILL')

    const until = (what: string, isSo: (status: ArchiveStatus) => boolean) =>
      untilStatus(cluster(), 'web', what, isSo, controller)
    const endpoint = `http://${serverAddress}:${s3.port}`
    const s3Upload = { bucket, secretName: 'keys', endpoint, region: 'us-east-1', path: 'retina' }
    await cluster().apply(archivedCapture('web', '15s', { s3Upload }))
    await until('a tap', isOpenOn(1))
    await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 7 })

    const missing = await until('word of the Secret', ({ conditions = [] }) =>
      conditions.some(({ reason }) => reason === 'FindSecretFailed'),
    )
    const [condition, ...more] = missing.conditions?.filter(({ type }) => type === 'error') ?? []
    t.deepEqual(more, [])
    t.is(missing.files?.[0]?.artifact, undefined) // told while it captures, not when the archive is to be sent
    t.true(
      condition?.message.startsWith(
        'secret of Capture is not found when blobupload is enabled, secretName: keys/shop',
      ),
    )
    await cluster().apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'keys', namespace: 'shop' },
      stringData: s3Secret,
    })
    const isFailed = ({ conditions = [] }: ArchiveStatus) =>
      conditions.some(({ reason }) => reason === 'UploadFailed')
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
  },
)
