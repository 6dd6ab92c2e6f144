import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import type { CaptureStatusElement } from '../../../src/model/status.ts'
import type { PacketCapture, World } from '../../../src/model/world.ts'
import { readStatusDirectory, StatusDirectory } from '../../../src/publish/statusDirectory.ts'
import { world as worldOf } from '../../support/worlds/documents.ts'

const nowMs = Date.parse('2026-02-03T04:05:06.789Z')

function capture(name: string, uid = `uid-${name}`): PacketCapture {
  const metadata = {
    name,
    namespace: 'shop',
    uid,
    generation: 3,
    creationTimestamp: '2026-02-03T04:00:00Z',
  }
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata,
    spec: { selector: 'all()' },
  }
}

const world = (captures: readonly PacketCapture[], complete = true): World =>
  worldOf(captures, [], { isSynced: complete })

function element(
  packets: number,
  state: CaptureStatusElement['state'] = 'Capturing',
): CaptureStatusElement {
  const counts = { packets, bytes: packets * 100, dropped: 0 }
  const endpoints = [
    {
      pod: 'web-0',
      uid: 'u',
      interface: 'cali1',
      vantage: 'HostVeth' as const,
      state,
      ...counts,
      gaps: [],
    },
  ]
  return {
    node: 'node-0',
    directory: '/c',
    fileNames: ['web-0_cali1.pcap'],
    state,
    ...counts,
    endpoints,
    isListed: true,
    isRejected: false,
    isUncapturable: false,
    problems: [],
  }
}

function directory(t: ExecutionContext): string {
  const made = mkdtempSync(join(tmpdir(), 'selcap-status-'))
  t.teardown(() => rmSync(made, { recursive: true }))
  return made
}

const told = (message: string) => {
  throw new Error(message)
}
const open = async (root: string) =>
  new StatusDirectory(root, await readStatusDirectory(root, told))

test('StatusDirectory.publish() writes the whole resource as kubectl prints it', async t => {
  const root = directory(t)
  await (await open(root)).publish({
    world: world([capture('web')]),
    elements: new Map([['shop/web', element(7)]]),
    nowMs,
  })
  const text = readFileSync(join(root, 'shop', 'web.yaml'), 'utf8')
  t.regex(
    text,
    /^apiVersion: projectcalico\.org\/v3\nkind: PacketCapture\nmetadata:\n {2}creationTimestamp: /,
  )
  t.regex(text, /\n {2}files:\n {2}- bytes: 700\n/)
  const { status } = parse(text) as {
    status: {
      state: string
      packets: number
      observedGeneration: number
      files: { fileNames: string[] }[]
    }
  }
  t.is(status.state, 'Capturing')
  t.is(status.packets, 7)
  t.is(status.observedGeneration, 3)
  t.deepEqual(status.files[0]?.fileNames, ['web-0_cali1.pcap'])
})

test('StatusDirectory.publish() does not touch a file whose text is the same', async t => {
  const root = directory(t)
  const publisher = await open(root)
  const report = {
    world: world([capture('web')]),
    elements: new Map([['shop/web', element(7)]]),
    nowMs,
  }
  await publisher.publish(report)
  const before = statSync(join(root, 'shop', 'web.yaml')).ino
  await publisher.publish({ ...report, nowMs: nowMs + 60_000 })
  t.is(statSync(join(root, 'shop', 'web.yaml')).ino, before)
  await publisher.publish({ ...report, elements: new Map([['shop/web', element(8)]]) })
  t.not(statSync(join(root, 'shop', 'web.yaml')).ino, before)
})

test('StatusDirectory.publish() removes what is gone, once the world is complete', async t => {
  const root = directory(t)
  const publisher = await open(root)
  await publisher.publish({
    world: world([capture('web'), capture('api')]),
    elements: new Map(),
    nowMs,
  })
  await publisher.publish({ world: world([capture('web')], false), elements: new Map(), nowMs })
  t.deepEqual(readdirSync(join(root, 'shop')).toSorted(), ['api.yaml', 'web.yaml'])
  const restarted = await open(root)
  await restarted.publish({ world: world([capture('web')]), elements: new Map(), nowMs })
  t.deepEqual(readdirSync(join(root, 'shop')), ['web.yaml'])
  await restarted.publish({ world: world([]), elements: new Map(), nowMs })
  t.deepEqual(readdirSync(root), [])
})

test('StatusDirectory.publish() never lets a count go backwards, also after a restart', async t => {
  const root = directory(t)
  await (await open(root)).publish({
    world: world([capture('web')]),
    elements: new Map([['shop/web', element(70)]]),
    nowMs,
  })
  await (await open(root)).publish({
    world: world([capture('web')]),
    elements: new Map([['shop/web', element(7)]]),
    nowMs,
  })
  t.is((await readStatusDirectory(root, told))[0]?.status?.packets, 70)
})

test('StatusDirectory.publish() starts afresh for a capture of another uid', async t => {
  const root = directory(t)
  const publisher = await open(root)
  await publisher.publish({
    world: world([capture('web')]),
    elements: new Map([['shop/web', element(70)]]),
    nowMs,
  })
  await publisher.publish({
    world: world([capture('web', 'another')]),
    elements: new Map([['shop/web', element(7)]]),
    nowMs,
  })
  t.is((await readStatusDirectory(root, told))[0]?.status?.packets, 7)
})

test('StatusDirectory.publish() refuses what cannot be written, writes the others, and the next one writes it too', async t => {
  const root = directory(t)
  const publisher = await open(root)
  mkdirSync(join(root, 'shop', 'api.yaml.tmp'), { recursive: true }) // in the way of what is written there
  const elements = new Map([
    ['shop/api', element(3)],
    ['shop/web', element(7)],
  ])
  const report = { world: world([capture('api'), capture('web')]), elements, nowMs }
  await t.throwsAsync(publisher.publish(report), { code: 'EISDIR' })
  t.deepEqual((await readStatusDirectory(root, told)).map(({ metadata }) => metadata.name), ['web']) // biome-ignore format: one line
  rmdirSync(join(root, 'shop', 'api.yaml.tmp'))
  await publisher.publish(report)
  t.deepEqual((await readStatusDirectory(root, told)).map(({ status }) => status?.packets), [3, 7]) // biome-ignore format: one line
})

for (const length of [246, 247, 248, 250, 251, 253]) {
  test(`StatusDirectory.publish() writes, reads back and removes a capture whose name has ${length} characters`, async t => {
    const root = directory(t)
    const name = 'n'.repeat(length)
    const publisher = await open(root)
    await publisher.publish({
      world: world([capture(name)]),
      elements: new Map([[`shop/${name}`, element(7)]]),
      nowMs,
    })
    t.deepEqual(
      (await readStatusDirectory(root, told)).map(({ metadata, status }) => [
        metadata.name,
        status?.packets,
      ]),
      [[name, 7]],
    )
    t.is(readdirSync(join(root, 'shop')).length, 1)
    await publisher.publish({ world: world([]), elements: new Map(), nowMs })
    t.deepEqual(readdirSync(root), [])
  })
}

test('readStatusDirectory() leaves out what is no capture: empty, cut off, or of another kind', async t => {
  const root = directory(t)
  const publisher = await open(root)
  await publisher.publish({
    world: world([capture('web')]),
    elements: new Map([['shop/web', element(7)]]),
    nowMs,
  })
  const others = {
    empty: '',
    cut: 'metadata:\n  name: [',
    other: 'kind: Pod\nmetadata: {name: x}\n',
    list: '- 1\n',
    text: 'PacketCapture',
  }
  for (const [name, text] of Object.entries(others))
    writeFileSync(join(root, 'shop', `${name}.yaml`), text)
  t.deepEqual((await readStatusDirectory(root, told)).map(({ metadata }) => metadata.name), ['web']) // biome-ignore format: one line
  t.is((await open(root)) instanceof StatusDirectory, true)
})

test('StatusDirectory reads, writes and removes what it can beside what cannot be read', async t => {
  const root = directory(t)
  const elements = new Map([
    ['shop/api', element(3)],
    ['shop/web', element(7)],
  ])
  const publisher = await open(root)
  await publisher.publish({
    world: world([capture('api'), capture('old'), capture('web')]),
    elements,
    nowMs,
  })
  rmSync(join(root, 'shop', 'api.yaml'))
  mkdirSync(join(root, 'shop', 'api.yaml'))
  symlinkSync('/dev/zero', join(root, 'shop', 'endless.yaml'))
  writeFileSync(join(root, 'stray'), '')
  const messages: string[] = []
  const found = await readStatusDirectory(root, message => messages.push(message))
  t.deepEqual(found.map(({ metadata }) => metadata.name), ['old', 'web']) // biome-ignore format: one line
  t.deepEqual(messages, [
    `Cannot read "${join(root, 'shop', 'api.yaml')}": it is no file`,
    `Cannot read "${join(root, 'shop', 'endless.yaml')}": it is no file`,
  ])
  await t.throwsAsync(publisher.publish({ world: world([capture('web')]), elements, nowMs }))
  t.deepEqual(readdirSync(join(root, 'shop')).toSorted(), ['api.yaml', 'endless.yaml', 'web.yaml'])
})
