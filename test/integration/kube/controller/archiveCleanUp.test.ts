// Retina's cleanUpAfterUpload over two nodes: an archive leaves its node when the store has the
// same bytes and not before, and the capture goes when both have.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import test from 'ava'
import { type ArchiveStatus, addPlace, archivedCapture, archivesOf, installRetina, isOpenOn, isThere, untilGone, untilStatus } from '../../../support/kube/archives.ts' // biome-ignore format: one line
import { serverAddress } from '../../../support/kube/simulated.ts'
import { systemNamespace } from '../../../support/kube/systemNamespace.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { bucket, s3Secret, startS3 } from '../../../support/stores/s3Server.ts'
import { sha256Of } from '../../../support/stores/source.ts'
import { remains, until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const cleanUps: (() => unknown)[] = []
test.after.always(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp()
})

const cleaned = (name: string, outputConfiguration: object): object =>
  archivedCapture(
    name,
    '8s',
    { hostPath: 'kept', ...outputConfiguration },
    { cleanUpAfterUpload: true },
  )
const isComplete = ({ conditions = [] }: ArchiveStatus): boolean =>
  conditions.some(({ type, status }) => type === 'complete' && status === 'True')

clusterTest(
  'archives leave the nodes when the bucket has them byte for byte, and the capture goes when all have',
  async t => {
    await installRetina(cluster())
    await cluster().apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'keys', namespace: 'shop' },
      stringData: s3Secret,
    })
    const places = [await addPlace(cluster(), 1), await addPlace(cluster(), 2)]
    const config = join(cluster().directory, 'controller.yaml')
    writeFileSync(config, 'outputHttp: Allowed\n')
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
      {
        at: { address: serverAddress, netns: cluster().networkPath },
      },
    )
    await s3.stop('SIGKILL')

    const endpoint = `http://${serverAddress}:${s3.port}`
    await cluster().apply(
      cleaned('away', {
        s3Upload: { bucket, secretName: 'keys', endpoint, region: 'us-east-1', path: 'retina' },
      }),
    )
    await cluster().apply(cleaned('here', {}))
    await untilStatus(cluster(), 'away', 'taps', isOpenOn(2), controller)
    for (const [index, { pod }] of places.entries())
      await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 5 + index })

    const isFailed = (status: ArchiveStatus) =>
      (status.conditions ?? []).some(({ reason }) => reason === 'UploadFailed') &&
      archivesOf(status).length === 2
    const failed = await untilStatus(
      cluster(),
      'away',
      'a failure on both nodes',
      isFailed,
      controller,
    )
    const archives = archivesOf(failed).toSorted()
    t.deepEqual(archives.map(path => path.startsWith(join(cluster().directory))), [true, true]) // biome-ignore format: one line
    const sums = await Promise.all(archives.map(sha256Of))
    const objects = archives.map(path => join(s3.objects, 'retina', basename(path)))
    mkdirSync(join(s3.objects, 'retina'))
    writeFileSync(objects[0] ?? '', Buffer.alloc(statSync(archives[0] ?? '').size, 7)) // as long, and another
    t.true(archives.every(existsSync))
    await s3.start()
    await untilGone(cluster(), 'away', controller)
    t.deepEqual(await Promise.all(objects.map(sha256Of)), sums, controller.tail(20))
    t.false(archives.some(existsSync))
    const { items } = await cluster().get<{
      items: { reason: string; involvedObject: { name: string } }[]
    }>('events', '-n', 'shop')
    t.true(
      items.some(
        ({ reason, involvedObject }) =>
          reason === 'JobsCompleted' && involvedObject.name === 'away',
      ),
    )
    await until('its directories to go', () =>
      places.every(({ node }) => !existsSync(join(node.captures, 'shop.retina.sh', 'away'))),
    )

    // With nothing to upload to, nothing is cleaned up, as in Retina.
    const kept = archivesOf(
      await untilStatus(cluster(), 'here', 'completion', isComplete, controller),
    )
    t.is(kept.length, 2)
    await remains(
      'the archives and the capture',
      15_000,
      async () =>
        kept.every(path => existsSync(path) && readFileSync(path).length > 0) &&
        (await isThere(cluster(), 'here')),
      { everyMs: 500 },
    )
  },
)

clusterTest(
  'cleanUpAfterUpload takes the right to delete the capture, and the controller deletes no other',
  async t => {
    const asked = (name: string, more: object) => {
      const { spec, ...rest } = cleaned(name, {}) as { spec: object }
      return { input: JSON.stringify({ ...rest, spec: { ...spec, ...more } }) }
    }
    await cluster().api.kubectl(
      'create',
      'role',
      'maker',
      '-n',
      'shop',
      '--verb=create,get,patch',
      '--resource=captures.retina.sh',
    )
    await cluster().api.kubectl(
      'create',
      'rolebinding',
      'maker',
      '-n',
      'shop',
      '--role=maker',
      '--user=maker',
    )
    const create = (more: object, ...as: string[]) =>
      cluster().api.ask(['create', '-f', '-', ...as], asked('made', more))
    await until(
      'the rights to be known',
      async () => (await create({ cleanUpAfterUpload: false }, '--as', 'maker')).code === 0,
    )
    t.regex(
      (await create({}, '--as', 'maker', '--dry-run=server')).err,
      /takes the right to delete the capture/,
    )
    const patch = [
      'patch',
      'captures.retina.sh',
      'made',
      '-n',
      'shop',
      '--type=merge',
      '-p',
      '{"spec":{"cleanUpAfterUpload":true}}',
    ]
    t.regex(
      (await cluster().api.ask([...patch, '--as', 'maker'])).err,
      /takes the right to delete the capture/,
    )

    const token = (
      await cluster().api.kubectl('create', 'token', 'selcap-controller', '-n', systemNamespace)
    ).trim()
    const remove = () =>
      cluster().api.ask([
        'delete',
        'captures.retina.sh',
        'made',
        '-n',
        'shop',
        '--dry-run=server',
        '--wait=false',
        '--token',
        token,
      ])
    t.regex((await remove()).err, /the controller deletes only captures with cleanUpAfterUpload/)
    await cluster().api.kubectl(...patch)
    t.is((await remove()).code, 0)
  },
)
