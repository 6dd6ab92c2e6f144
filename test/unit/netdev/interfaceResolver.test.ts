// An endpoint's interface by its derived name, else by its address in a network namespace. The
// driver's lists are written out here.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Driver, Link } from '../../../src/driver/driver.ts'
import { TapError } from '../../../src/model/errors.ts'
import {
  type InterfaceMatch,
  InterfaceResolver,
  isSameInterface,
  type WantedEndpoint,
} from '../../../src/netdev/interfaceResolver.ts'

type Node = {
  readonly host: readonly Link[]
  readonly pods?: Readonly<Record<string, readonly Link[] | TapError>>
}

function link(name: string, index: number, more: Partial<Link> = {}): Link {
  return {
    name,
    index,
    kind: 'veth',
    isUp: true,
    mtu: 1_500,
    gsoMaxBytes: 65_536,
    peerIndex: undefined,
    addresses: [],
    alternativeNames: [],
    hardwareType: 1,
    linkType: 'Ethernet',
    ...more,
  }
}

const wanted = (more: Partial<WantedEndpoint> = {}): WantedEndpoint =>
  ({
    interfaceName: 'cali1',
    vantage: 'HostVeth',
    endpoint: { namespace: 'shop', name: 'web-0', addresses: ['10.0.0.2'] },
    ...more,
  }) as WantedEndpoint

function find(
  t: ExecutionContext,
  { host, pods = {} }: Node,
  endpoint = wanted(),
): Promise<InterfaceMatch> {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-netns-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  for (const name of Object.keys(pods)) writeFileSync(join(directory, name), '')
  const links: Driver['links'] = async netns => {
    const found = netns === undefined ? host : (pods[netns.slice(directory.length + 1)] ?? [])
    if (found instanceof TapError) throw found
    return found
  }
  return new InterfaceResolver({ links }, directory).find(endpoint)
}

const inside = link('eth0', 2, { peerIndex: 9, addresses: ['127.0.0.1', '10.0.0.2'] })
const outside = link('veth9', 9, { peerIndex: 2 })

test('find() takes the interface of the derived name, and reads no network namespace', async t => {
  const pods = { pod: new TapError('NOT_PERMITTED', 'must not be read') }
  t.deepEqual(await find(t, { host: [link('cali1', 5)], pods }), {
    interfaceName: 'cali1',
    index: 5,
    linkType: 'Ethernet',
    vantage: 'HostVeth',
    insideIsPod: false,
  })
})

test("find() takes the host's end of the interface that has the address", async t => {
  const found = await find(t, { host: [link('lo', 1), outside], pods: { pod: [inside] } })
  t.deepEqual(found, {
    interfaceName: 'veth9',
    index: 9,
    linkType: 'Ethernet',
    vantage: 'HostVeth',
    insideIsPod: false,
  })
})

test('find() takes the interface inside for PodNetns, and for a netkit pair with Auto', async t => {
  const pod = await find(
    t,
    { host: [link('cali1', 9)], pods: { pod: [inside] } },
    wanted({ vantage: 'PodNetns' }),
  )
  t.like(pod, { interfaceName: 'eth0', vantage: 'PodNetns', insideIsPod: true })
  const netkit = {
    host: [link('cali1', 9, { kind: 'netkit' })],
    pods: { pod: [{ ...inside, kind: 'netkit' }] },
  }
  t.is((await find(t, netkit, wanted({ vantage: 'Auto' }))).vantage, 'PodNetns')
})

test('find() refuses an address that two network namespaces have: a capture must not hold another pod', async t => {
  const error = await t.throwsAsync(
    find(t, { host: [outside], pods: { one: [inside], two: [inside] } }),
    { instanceOf: TapError },
  )
  t.is((error as TapError).code, 'NO_INTERFACE')
  t.regex(error.message, /is in network namespaces ".*one" and ".*two": expected one$/)
})

test('find() refuses a peer that does not name the interface back, or that two interfaces name', async t => {
  await t.throwsAsync(find(t, { host: [{ ...outside, peerIndex: 3 }], pods: { pod: [inside] } }), {
    message: /no other end here$/,
  })
  const other = { ...inside, addresses: ['10.0.0.3'] }
  await t.throwsAsync(find(t, { host: [outside], pods: { pod: [inside], other: [other] } }), {
    message: /no other end here$/,
  })
})

test('find() says which name and addresses it looked for, and which namespaces could not be read', async t => {
  const pods = {
    pod: new TapError('NOT_PERMITTED', 'Cannot enter it'),
    other: [link('eth0', 2, { addresses: ['10.0.0.9'] })],
  }
  await t.throwsAsync(find(t, { host: [], pods }), {
    message:
      /found no interface "cali1", and looked for address 10\.0\.0\.2, 2 network namespaces .* 1 of them could not be: Cannot enter it$/,
  })
})

test('find() compares IPv6 addresses however they are written', async t => {
  const endpoint = wanted({
    endpoint: { namespace: 'shop', name: 'web-0', uid: 'u', addresses: ['2001:DB8:0:0::2'] },
  })
  const pod = [{ ...inside, addresses: ['2001:db8::2'] }]
  t.is((await find(t, { host: [outside], pods: { pod } }, endpoint)).interfaceName, 'veth9')
})

test('find() takes an interface by its alternative name, after one of that name', async t => {
  const other = link('eth9', 9, { alternativeNames: ['cali1', 'uplink'] })
  t.like(await find(t, { host: [other] }), { interfaceName: 'eth9', index: 9 })
  t.like(await find(t, { host: [other, link('cali1', 5)] }), { interfaceName: 'cali1', index: 5 })
})

test('find() does not look for an address when the name was given and no interface has it', async t => {
  const { endpoint } = wanted()
  const given = wanted({ endpoint: { ...endpoint, isInterfaceGiven: true } })
  const node = { host: [outside], pods: { pod: [inside] } }
  t.is((await find(t, node)).interfaceName, 'veth9')
  await t.throwsAsync(find(t, node, given), { code: 'NO_INTERFACE', message: /found no interface "cali1"$/ }) // biome-ignore format: one line
  t.is((await find(t, node, { ...given, vantage: 'PodNetns' })).interfaceName, 'eth0')
})

test('find() refuses a link type that is not supported, with the name of the interface', async t => {
  const wireless = link('cali1', 5, { linkType: undefined, hardwareType: 803 })
  await t.throwsAsync(find(t, { host: [wireless] }), { code: 'NOT_SUPPORTED', message: /"cali1".*ARPHRD 803/ }) // biome-ignore format: one line
})

test('find() does not say that an address is nowhere when a namespace could not be read for want of memory', async t => {
  const pods = { pod: new TapError('NO_MEMORY', 'no descriptor is left') }
  await t.throwsAsync(find(t, { host: [], pods }), { code: 'NO_MEMORY' })
})

test('isSameInterface() tells interfaces of one name apart by index, namespace and link type', async t => {
  const one = await find(t, { host: [link('cali1', 5)] })
  t.true(isSameInterface(one, { ...one }))
  for (const other of [{ index: 6 }, { netnsId: '4:1' }, { linkType: 'RawIp' }, { interfaceName: 'x' }] as const) // biome-ignore format: one line
    t.false(isSameInterface(one, { ...one, ...other }))
})
