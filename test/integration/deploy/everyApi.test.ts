// The overlay every-api on a real API server: both other APIs at once, with what each of their
// overlays adds to the base.
import test from 'ava'
import { systemNamespace, useInstalled } from '../../support/kube/installManifests.ts'

const server = useInstalled('daemonset/overlays/every-api')
const kubectl = (...args: string[]) => server().api.kubectl(...args, '-n', systemNamespace)

test.serial('all programs are told to serve them', async t => {
  const apisOf = async (kind: string, name: string) => {
    const { spec } = JSON.parse(await kubectl('get', kind, name, '-o', 'json'))
    return spec.template.spec.containers[0].command.filter((word: string) =>
      word.startsWith('--apis='),
    )
  }
  t.deepEqual(await apisOf('daemonset', 'selcap-agent'), [
    '--apis=packetcaptureconfig',
    '--apis=retina',
  ])
  t.deepEqual(await apisOf('deployment', 'selcap-controller'), [
    '--apis=packetcaptureconfig',
    '--apis=retina',
  ])
  t.deepEqual(await apisOf('deployment', 'selcap-gateway'), [
    '--apis=packetcaptureconfig',
    '--apis=retina',
  ])
})

test.serial('the agent may and mounts what either needs', async t => {
  const { spec } = JSON.parse(await kubectl('get', 'daemonset', 'selcap-agent', '-o', 'json'))
  const { volumeMounts, securityContext } = spec.template.spec.containers[0]
  t.deepEqual(securityContext.capabilities.add, [
    'NET_RAW',
    'NET_ADMIN',
    'SYS_ADMIN',
    'SETUID',
    'SETGID',
  ])
  const paths = volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath)
  for (const path of [
    '/var/log/retina/captures',
    '/var/lib/packet-captures',
    '/etc/packet-capture',
  ])
    t.true(paths.includes(path), path)
})

test.serial('resources of every kind are taken', async t => {
  for (const file of ['selector.yaml', 'packetcaptureconfig.yaml', 'retina'])
    t.notRegex(
      await kubectl(
        'apply',
        '--dry-run=server',
        '--validate=strict',
        '-f',
        `examples/${file}`,
      ).catch(String),
      /no matches for kind/,
    )
})
