// A world out of real directories under the watch of chokidar: files that come, change, break and
// go, as people do it.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { defaultSettings } from '../../../src/model/settings.ts'
import type { ObjectMeta } from '../../../src/model/world.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { graceMs } from '../../../src/source/deletionGrace.ts'
import { ManifestSource } from '../../../src/source/manifestSource.ts'
import { StandaloneMeta } from '../../../src/source/standaloneMeta.ts'
import { captureText, captureTexts, Directory } from '../../support/directory.ts'
import { until } from '../../support/until.ts'

const endpoint = `apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {name: web-0, namespace: shop}\nspec: {interfaceName: cali1}\n`

/** Manifests on a directory, with what a test looks at. */
class Watched {
  readonly files: Directory
  readonly beside: Directory
  readonly log: ReturnType<Directory['logger']>
  #manifests: ManifestSource | undefined

  static async open(
    t: ExecutionContext,
    prepare: (files: Directory) => void = () => {},
  ): Promise<Watched> {
    const watched = new Watched(t)
    prepare(watched.files)
    await watched.reopen(t)
    return watched
  }

  private constructor(t: ExecutionContext) {
    this.files = new Directory(t)
    this.beside = new Directory(t)
    this.log = this.beside.logger()
  }

  async reopen(t: ExecutionContext): Promise<void> {
    await this.#manifests?.[Symbol.asyncDispose]()
    const identities = await StandaloneMeta.open(this.beside.in('identities.json'))
    const parts = {
      directory: this.files.path,
      node: 'node-0',
      settings: () => defaultSettings,
      identities,
      clock: systemClock,
      log: this.log.log,
    }
    const opened = await ManifestSource.open(parts)
    t.teardown(() => opened[Symbol.asyncDispose]())
    this.#manifests = opened
  }

  get manifests(): ManifestSource {
    if (!this.#manifests) throw new Error('Cannot look at manifests: they were not opened')
    return this.#manifests
  }

  get names(): string[] {
    return this.manifests.snapshot().captures.map(({ metadata }) => metadata.name).toSorted() // biome-ignore format: one line
  }

  metadata(name: string): ObjectMeta | undefined {
    return this.manifests.snapshot().captures.find(({ metadata }) => metadata.name === name)
      ?.metadata
  }

  uid(name: string): string | undefined {
    return this.metadata(name)?.uid
  }

  shows(...names: readonly string[]): Promise<void> {
    return until(`captures ${names}`, () => this.names.join() === names.join())
  }

  said(msg: string): Promise<void> {
    return until(`"${msg}"`, () => this.log.lines().some(line => line.msg === msg))
  }
}

test('Manifests.open() has read everything when it resolves', async t => {
  const watched = await Watched.open(t, files => {
    files.write('a.yaml', captureTexts('a', 'b'))
    files.write('endpoints.yaml', endpoint)
  })
  const world = watched.manifests.snapshot()
  t.deepEqual(watched.names, ['a', 'b'])
  t.deepEqual(world.endpoints.map(each => each.spec.interfaceName), ['cali1']) // biome-ignore format: one line
  t.like(world, { node: 'node-0', settings: defaultSettings, isSynced: true })
  t.regex(watched.uid('a') ?? '', /^[0-9a-f-]{36}$/)
})

test('Manifests.open() refuses a directory that is not there', async t => {
  const watched = await Watched.open(t)
  rmSync(watched.files.path, { recursive: true })
  await t.throwsAsync(watched.reopen(t), { code: 'ENOENT' })
})

test('Manifests tell their listener of a new file, a changed one and one that is gone', async t => {
  const watched = await Watched.open(t)
  let told = 0
  watched.manifests.onChange(() => told++)
  watched.files.write('a.yaml', captureTexts('a'))
  await watched.shows('a')
  await until('the listener to be told', () => told > 0)
  watched.files.write('b.yaml', captureTexts('b'))
  await watched.shows('a', 'b')
  const uid = watched.uid('a')
  watched.files.write('a.yaml', captureText('a', '{selector: has(x)}'))
  await until('the new generation', () => watched.metadata('a')?.generation === 2)
  t.is(watched.uid('a'), uid)
  told = 0
  rmSync(watched.files.in('a.yaml'))
  await watched.shows('b')
  await until('the listener to be told', () => told > 0)
})

test('Manifests keep a capture through an atomic replacement, and through a file that is written in steps', async t => {
  const watched = await Watched.open(t, files => files.write('a.yaml', captureTexts('a')))
  const uid = watched.uid('a')
  const seen = new Set<string>()
  watched.manifests.onChange(() => seen.add(`${watched.names} ${watched.uid('a') === uid}`))
  watched.files.replace('a.yaml', captureTexts('a', 'b'))
  await watched.shows('a', 'b')
  watched.files.write('a.yaml', '')
  await until('the empty file', () =>
    watched.log.lines().some(({ file, documents }) => file === 'a.yaml' && documents === 0),
  )
  watched.files.write('a.yaml', captureTexts('a', 'c'))
  await watched.shows('a', 'c')
  rmSync(watched.files.in('a.yaml'))
  await watched.said('manifest gone')
  watched.files.write('a.yaml', captureTexts('a', 'd'))
  await watched.shows('a', 'd')
  t.true(
    [...seen].every(names => names.startsWith('a,') && names.endsWith(' true')),
    [...seen].join('\n'),
  )
})

test('Manifests believe a capture gone after the grace time, not before, and it comes back as another one', async t => {
  const watched = await Watched.open(t, files => files.write('a.yaml', captureTexts('a', 'b')))
  const uid = watched.uid('b')
  const atMs = Date.now()
  watched.files.replace('a.yaml', captureTexts('a'))
  await watched.shows('a')
  t.true(Date.now() - atMs >= graceMs)
  watched.files.replace('a.yaml', captureTexts('a', 'b'))
  await watched.shows('a', 'b')
  t.not(watched.uid('b'), uid)
})

test('Manifests keep the last good state of a broken file, say so once, and stay complete', async t => {
  const watched = await Watched.open(t, files => files.write('a.yaml', captureTexts('a')))
  watched.files.write('a.yaml', captureText('a', '{selecter: all()}'))
  await watched.said('manifest refused, its last good state stays')
  watched.files.write('b.yaml', captureTexts('b'))
  await watched.shows('a', 'b')
  const refused = watched.log.lines().filter(({ msg }) => msg.startsWith('manifest refused'))
  t.is(refused.length, 1)
  t.like(refused[0], { level: 'error', file: 'a.yaml' })
  t.like(watched.manifests.snapshot(), { isSynced: true, isComplete: true })
  watched.files.write('a.yaml', captureTexts('c'))
  await watched.shows('b', 'c')
})

test('Manifests are not complete while a file was never good; what is withdrawn beside it is gone at once', async t => {
  const watched = await Watched.open(t, files => {
    files.write('a.yaml', captureTexts('a', 'b'))
    files.write('bad.yaml', 'kind: [')
  })
  t.like(watched.manifests.snapshot(), { isSynced: true, isComplete: false })
  t.deepEqual(watched.names, ['a', 'b'])
  watched.files.write('a.yaml', captureTexts('a'))
  await watched.shows('a')
  rmSync(watched.files.in('bad.yaml'))
  await until('the whole', () => watched.manifests.snapshot().isComplete === true)
})

test('Manifests keep the uid of a capture whose file cannot be read at the start', async t => {
  const watched = await Watched.open(t, files => files.write('a.yaml', captureTexts('a')))
  const uid = watched.uid('a')
  watched.files.write('a.yaml', 'kind: [')
  await watched.reopen(t)
  t.deepEqual(watched.names, [])
  watched.files.write('a.yaml', captureTexts('a'))
  await watched.shows('a')
  t.is(watched.uid('a'), uid)
})

test('Manifests have names in capitals too, and say once which are ignored for their dot', async t => {
  const watched = await Watched.open(t, files => {
    files.write('A.YAML', captureTexts('a'))
    files.write('B.Yml', captureTexts('b'))
    files.write('.hidden.yaml', captureTexts('c'))
  })
  t.deepEqual(watched.names, ['a', 'b'])
  watched.files.write('d.yaml', captureTexts('d'))
  await watched.shows('a', 'b', 'd')
  const said = watched.log.lines().filter(({ msg }) => /begins with a dot/.test(msg))
  t.deepEqual(said.map(({ file }) => file), ['.hidden.yaml']) // biome-ignore format: one line
})

test("Manifests follow a ConfigMap's volume", async t => {
  const watched = await Watched.open(t, files =>
    files.mountConfigMap({ 'all.yaml': captureTexts('a', 'b') }),
  )
  t.deepEqual(watched.names, ['a', 'b'])
  const uid = watched.uid('a')
  for (const name of ['c', 'd']) {
    watched.files.mountConfigMap({ 'all.yaml': captureTexts('a', name) })
    await watched.shows('a', name)
  }
  t.is(watched.uid('a'), uid)
})

test('Manifests take the first file by name where two describe the same capture', async t => {
  const watched = await Watched.open(t, files => {
    files.write('b.yaml', captureText('x', '{selector: has(b)}'))
    files.write('c.yaml', captureText('x', '{selector: has(c)}'))
  })
  const selector = () => watched.manifests.snapshot().captures.map(({ spec }) => spec.selector).join() // biome-ignore format: one line
  t.is(selector(), 'has(b)')
  watched.files.write('a.yaml', captureText('x', '{selector: has(a)}'))
  await until('the first', () => selector() === 'has(a)')
})

test('Manifests.expire() takes a capture out of the world until its manifest changes', async t => {
  const watched = await Watched.open(t, files => files.write('a.yaml', captureTexts('a', 'b')))
  const uid = watched.uid('a')
  let changes = 0
  watched.manifests.onChange(() => changes++)
  watched.manifests.expire('shop/a')
  t.is(changes, 1)
  t.deepEqual(watched.names, ['b'])
  await watched.reopen(t)
  t.deepEqual(watched.names, ['b'])
  watched.files.write(
    'a.yaml',
    `${captureText('a', '{selector: has(x)}')}---\n${captureTexts('b')}`,
  )
  await watched.shows('a', 'b')
  t.not(watched.uid('a'), uid)
})

test('Manifests keep everything while their directory is away, say so once, and read it when it is back', async t => {
  const watched = await Watched.open(t, files => files.write('a.yaml', captureTexts('a')))
  const uid = watched.uid('a')
  const away = `${watched.files.path}.away`
  renameSync(watched.files.path, away)
  t.teardown(() => rmSync(away, { recursive: true, force: true }))
  await watched.said('manifests not readable, all stays as it is')
  t.is(watched.uid('a'), uid)
  mkdirSync(watched.files.path)
  writeFileSync(watched.files.in('b.yaml'), captureTexts('a', 'b'))
  await watched.shows('a', 'b')
  t.is(watched.uid('a'), uid)
  t.is(watched.log.lines().filter(({ msg }) => msg.startsWith('manifests not readable')).length, 1)
})

test('Manifests go on when identities cannot be stored, say so, and store them when they can', async t => {
  const watched = await Watched.open(t)
  mkdirSync(watched.beside.in('identities.json.tmp')) // in the way of what is written there
  watched.files.write('a.yaml', captureTexts('a'))
  await watched.shows('a')
  await watched.said('identities not stored')
  watched.files.write('b.yaml', captureTexts('b'))
  await watched.shows('a', 'b')
  t.is(watched.log.lines().filter(({ msg }) => msg === 'identities not stored').length, 1)
  const uid = watched.uid('a')
  rmSync(watched.beside.in('identities.json.tmp'), { recursive: true })
  await until('the file', () => existsSync(watched.beside.in('identities.json')))
  await watched.reopen(t)
  t.is(watched.uid('a'), uid)
})
