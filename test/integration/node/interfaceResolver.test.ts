// Finding an endpoint's interface, with real namespaces whose interface names say nothing:
// point-to-point and bridge.
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Link } from '../../../src/driver/driver.ts'
import { TapError } from '../../../src/model/errors.ts'
import { InterfaceResolver, type WantedEndpoint } from '../../../src/netdev/interfaceResolver.ts'
import { ipLinks } from '../../support/net/ipLinks.ts'
import { makeNamespace, type Scope, uniqueName } from '../../support/net/namespace.ts'
import { makePod, type Pod } from '../../support/net/pod.ts'
import { networkTest } from '../../support/net/privilege.ts'
import { ip } from '../../support/net/run.ts'

const driver = { links: ipLinks }

networkTest(
  'find() takes the derived name without looking into namespaces when there is such an interface',
  async t => {
    const pod = await makePod(t)
    const asked: (string | undefined)[] = []
    const links = (netns?: string) => {
      asked.push(netns)
      return ipLinks(netns)
    }
    const scan = new InterfaceResolver({ links }, await netnsDirectory(t, [pod]))
    const found = await scan.find(
      wanted({ interfaceName: pod.hostName, addresses: [pod.podAddress] }),
    )
    t.deepEqual(found, {
      interfaceName: pod.hostName,
      index: Number(await readFile(`/sys/class/net/${pod.hostName}/ifindex`, 'utf8')),
      linkType: 'Ethernet',
      vantage: 'HostVeth',
      insideIsPod: false,
    })
    t.deepEqual(asked, [undefined])
  },
)

networkTest(
  'find() takes the host end by address when the name is not known, or wrong',
  async t => {
    const pods = await Promise.all([makePod(t), makePod(t), makePod(t, { ipv6: true })])
    const scan = new InterfaceResolver(driver, await netnsDirectory(t, pods))
    for (const pod of pods) {
      for (const interfaceName of [undefined, 'cali0123456789a']) {
        const found = await scan.find(wanted({ interfaceName, addresses: [pod.podAddress] }))
        t.like(found, { interfaceName: pod.hostName, vantage: 'HostVeth', insideIsPod: false })
      }
    }
    const long = pods[2].podAddress6.toUpperCase().replace('::', ':0:0:0:0:')
    t.is((await scan.find(wanted({ addresses: [long] }))).interfaceName, pods[2].hostName)
  },
)

networkTest(
  'find() takes the interface inside when the vantage is PodNetns, whatever it is called',
  async t => {
    const pod = await makePod(t, { podName: 'net7' })
    const directory = await netnsDirectory(t, [pod])
    const netns = join(directory, 'cni-0')
    const { dev, ino } = await stat(netns)
    const inside = {
      interfaceName: 'net7',
      index: (await ipLinks(netns)).find(({ name }) => name === 'net7')?.index,
      linkType: 'Ethernet',
      netns,
      netnsId: `${dev}:${ino}`,
      vantage: 'PodNetns',
      insideIsPod: true,
    } as const
    const scan = new InterfaceResolver(driver, directory)
    for (const interfaceName of [undefined, pod.hostName])
      t.deepEqual(
        await scan.find(
          wanted({ interfaceName, addresses: [pod.podAddress], vantage: 'PodNetns' }),
        ),
        inside,
      )
  },
)

networkTest(
  "find() takes the bridge's port, not the bridge, when pods hang on a bridge",
  async t => {
    const pods = await Promise.all([makePod(t), makePod(t)])
    const bridge = uniqueName()
    t.teardown(() => ip([`link delete dev ${bridge}`]))
    await ip([
      `link add name ${bridge} type bridge`,
      ...pods.map(pod => `link set dev ${pod.hostName} master ${bridge}`),
    ])
    const scan = new InterfaceResolver(driver, await netnsDirectory(t, pods))
    for (const pod of pods)
      t.is((await scan.find(wanted({ addresses: [pod.podAddress] }))).interfaceName, pod.hostName)
  },
)

networkTest(
  'find() goes inside when the other end is not here, and refuses when the host end was asked for',
  async t => {
    const [router, pod] = await Promise.all([makeNamespace(t), makePod(t)])
    await ip([`link set dev ${pod.hostName} netns ${router.pid}`])
    const directory = await netnsDirectory(t, [pod])
    const scan = new InterfaceResolver(driver, directory)
    const found = await scan.find(wanted({ addresses: [pod.podAddress] }))
    t.like(found, {
      interfaceName: 'eth0',
      netns: join(directory, 'cni-0'),
      vantage: 'PodNetns',
      insideIsPod: true,
    })
    await refuses(
      t,
      scan.find(wanted({ addresses: [pod.podAddress], vantage: 'HostVeth' })),
      /no other end here/,
    )
  },
)

networkTest('find() refuses when an address is in two namespaces, or in none', async t => {
  const pods = await Promise.all([makePod(t), makePod(t)])
  await pods[1].namespace.ip(`address add ${pods[0].podAddress}/32 dev eth0`)
  const directory = await netnsDirectory(t, pods)
  await writeFile(join(directory, 'not-a-namespace'), '')
  const scan = new InterfaceResolver(driver, directory)
  await refuses(
    t,
    scan.find(wanted({ addresses: [pods[0].podAddress] })),
    /cni-0" and ".*cni-1": expected one/,
  )
  await refuses(
    t,
    scan.find(wanted({ interfaceName: 'cali0', addresses: ['203.0.113.9'] })),
    /"cali0", and looked for address 203\.0\.113\.9, 3 network/,
  )
  await refuses(t, scan.find(wanted({ addresses: [] })), /the endpoint has none/)
  await refuses(
    t,
    new InterfaceResolver(driver, join(directory, 'nowhere')).find(
      wanted({ addresses: ['203.0.113.9'] }),
    ),
    /, 0 network/,
  )
})

networkTest(
  'find() looks into each namespace once when many are asked for, under however many names',
  async t => {
    const pods = await Promise.all([makePod(t), makePod(t)])
    const directory = await netnsDirectory(t, [...pods, ...pods])
    const asked: (string | undefined)[] = []
    const links = (netns?: string) => {
      asked.push(netns)
      return ipLinks(netns)
    }
    const scan = new InterfaceResolver({ links }, directory)
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        scan.find(wanted({ addresses: [pods[index % 2]?.podAddress ?? ''] })),
      ),
    )
    t.is(all.length, 100)
    t.deepEqual(asked.toSorted(), [join(directory, 'cni-0'), join(directory, 'cni-1'), undefined])
  },
)

// No kernel of ours has netkit devices, and a claim on somebody else's end takes namespaces we are
// not shown: links as data.
const eth0: Link = {
  name: 'eth0',
  index: 2,
  kind: 'veth',
  isUp: true,
  mtu: 1_500,
  gsoMaxBytes: 65_536,
  peerIndex: 16,
  addresses: ['10.0.0.1'],
  alternativeNames: [],
  hardwareType: 1,
  linkType: 'Ethernet',
}
const host: Link = { ...eth0, name: 'cali1', index: 16, peerIndex: 2, addresses: [] }

test('find() goes inside when the vantage is Auto and the device is netkit', async t => {
  const netkit = { links: async (netns?: string) => [{ ...(netns ? eth0 : host), kind: 'netkit' }] }
  const scan = new InterfaceResolver(netkit, await directoryOf(t, ['/proc/self/ns/uts']))
  for (const interfaceName of ['cali1', undefined])
    t.like(await scan.find(wanted({ interfaceName, addresses: ['10.0.0.1'] })), {
      interfaceName: 'eth0',
      vantage: 'PodNetns',
    })
  t.like(await scan.find(wanted({ interfaceName: 'cali1', addresses: [], vantage: 'HostVeth' })), {
    interfaceName: 'cali1',
  })
})

test('find() does not take the host end when two namespaces claim it', async t => {
  const links = async (netns?: string) => [
    netns ? { ...eth0, addresses: [netns.endsWith('0') ? '10.0.0.1' : '10.0.0.2'] } : host,
  ]
  const scan = new InterfaceResolver(
    { links },
    await directoryOf(t, ['/proc/self/ns/uts', '/proc/self/ns/ipc']),
  )
  t.like(await scan.find(wanted({ addresses: ['10.0.0.1'] })), {
    interfaceName: 'eth0',
    vantage: 'PodNetns',
  })
  await t.throwsAsync(scan.find(wanted({ addresses: ['10.0.0.2'], vantage: 'HostVeth' })), {
    code: 'NO_INTERFACE',
  })
})

type Ask = {
  readonly interfaceName?: string | undefined
  readonly addresses: readonly string[]
  readonly vantage?: WantedEndpoint['vantage']
}

function wanted({ interfaceName, addresses, vantage = 'Auto' }: Ask): WantedEndpoint {
  return {
    interfaceName,
    vantage,
    endpoint: { namespace: 'shop', name: 'web', uid: '1', addresses },
  }
}

/** A directory as CNI plugins fill it: cni-0, cni-1, … for the pods' namespaces. */
function netnsDirectory(scope: Scope, pods: readonly Pod[]): Promise<string> {
  return directoryOf(
    scope,
    pods.map(pod => pod.namespace.path),
  )
}

async function directoryOf(scope: Scope, targets: readonly string[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selcap-netns-'))
  scope.teardown(() => rm(directory, { recursive: true }))
  await Promise.all(
    targets.map((target, index) => symlink(target, join(directory, `cni-${index}`))),
  )
  return directory
}

async function refuses(
  t: ExecutionContext,
  asked: Promise<unknown>,
  message: RegExp,
): Promise<void> {
  await t.throwsAsync(asked, { instanceOf: TapError, code: 'NO_INTERFACE', message })
}
