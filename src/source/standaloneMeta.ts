// Assigns what an API server would to captures from files: uid, generation, creation time. In: a
// capture as written, and the file with earlier identities. Out: its complete metadata. A resource
// that was removed and returns under its name is a new one; an edited spec is a new generation. A
// capture whose ttl passed stays away until its manifest changes. A file that cannot be read is kept
// aside, and the published captures tell the identities. manifestSource.ts watches.
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { captureKey } from '../model/captureRef.ts'
import { osErrorMessage } from '../model/errors.ts'
import type { ObjectMeta, PacketCapture } from '../model/world.ts'
import { atomicWrite } from '../runtime/atomicWrite.ts'
import { Disk } from '../runtime/disk.ts'
import { keepAside } from '../runtime/keepAside.ts'

type KnownMeta = {
  readonly uid: string
  readonly givenUid: string | undefined
  readonly generation: number
  readonly creationTimestamp: string
  readonly spec: string
  readonly isExpired?: boolean
  readonly isPublished?: boolean // taken from a published capture: nothing says whether its uid was given
}

export type CaptureManifest = Omit<PacketCapture, 'metadata'> & {
  readonly metadata: Partial<ObjectMeta> & { readonly name: string; readonly namespace: string }
}

export class StandaloneMeta {
  readonly #file: string
  readonly #known: Map<string, KnownMeta>
  readonly #disk = new Disk(1)
  #stored: string // the file's content
  #unstored: string | undefined
  #storing: Promise<void> | undefined
  #isAsked = false // to store, since the last attempt began
  /** Why the file could not be read; undefined: it was read, or there is none. */
  readonly unreadable: string | undefined

  private constructor(file: string, known: Map<string, KnownMeta>, unreadable?: string) {
    this.#file = file
    this.#known = known
    this.#stored = unreadable === undefined ? JSON.stringify([...known]) : ''
    this.unreadable = unreadable
  }

  /** `published`: captures of an earlier run, for a file that cannot be read. */
  static async open(
    file: string,
    published: readonly PacketCapture[] = [],
  ): Promise<StandaloneMeta> {
    const found = await read(file)
    if (typeof found !== 'string') return new StandaloneMeta(file, found)
    const known = new Map(
      published.map(capture => [captureKey(capture.metadata), publishedMeta(capture)]),
    )
    const notKept = await keepAside(file)
    const rest = notKept === undefined ? '' : `; not kept aside: ${notKept}`
    return new StandaloneMeta(file, known, `${found}${rest}`)
  }

  /**
   * Resolves when the file has every identity, or to the reason why it lags behind: a full disk, or
   * one that does not answer. The next assign() tries again.
   */
  async stored(): Promise<string | undefined> {
    const isDone = await this.#disk.answered(this.#storing ?? Promise.resolve())
    return isDone ? this.#unstored : 'the disk of the status directory does not answer'
  }

  /**
   * Completes the metadata of all captures, without expired ones. Forgets the identity of every
   * other capture, unless `isComplete` is false: a file that cannot be read may describe it.
   */
  assign(captures: readonly CaptureManifest[], nowMs: number, isComplete = true): PacketCapture[] {
    const found = new Map(
      captures.map(capture => [
        captureKey(capture.metadata),
        assignMeta(capture, this.#known.get(captureKey(capture.metadata)), nowMs),
      ]),
    )
    this.#replace(isComplete ? found : new Map([...this.#known, ...found]))
    return captures.flatMap(capture => {
      const known = found.get(captureKey(capture.metadata))
      if (!known || known.isExpired) return []
      const { uid, generation, creationTimestamp } = known
      return [{ ...capture, metadata: { ...capture.metadata, uid, generation, creationTimestamp } }]
    })
  }

  /** Marks the resource as expired although its manifest exists. */
  expire(key: string): void {
    const known = this.#known.get(key)
    if (known) this.#replace(new Map(this.#known).set(key, { ...known, isExpired: true }))
  }

  #replace(next: ReadonlyMap<string, KnownMeta>): void {
    this.#known.clear()
    for (const [key, known] of next) this.#known.set(key, known)
    this.#isAsked = true
    this.#storing ??= this.#store().finally(() => {
      this.#storing = undefined
    })
  }

  async #store(): Promise<void> {
    while (this.#isAsked) {
      this.#isAsked = false
      const text = JSON.stringify([...this.#known])
      this.#unstored =
        text === this.#stored ? undefined : await this.#disk.run(() => store(this.#file, text))
      if (this.#unstored === undefined) this.#stored = text
    }
  }
}

/** The file system's error; undefined: none. */
async function store(file: string, text: string): Promise<string | undefined> {
  try {
    await atomicWrite(file, text, { isLasting: true }) // a lost uid would orphan the files of earlier runs
    return undefined
  } catch (error) {
    return osErrorMessage(error)
  }
}

function assignMeta(
  capture: CaptureManifest,
  earlier: KnownMeta | undefined,
  nowMs: number,
): KnownMeta {
  const known = earlier?.isPublished ? takenOver(earlier, capture) : earlier
  const spec = JSON.stringify(capture.spec)
  const givenUid = capture.metadata.uid
  if (!known || known.givenUid !== givenUid || (known.isExpired && known.spec !== spec)) {
    // Whole seconds, as at an API server: the creation time orders captures and shows their age.
    const creationTimestamp =
      capture.metadata.creationTimestamp ?? new Date(nowMs).toISOString().replace(/\.\d+/, '')
    return { uid: givenUid ?? randomUUID(), givenUid, generation: 1, creationTimestamp, spec }
  }
  return known.spec === spec ? known : { ...known, generation: known.generation + 1, spec }
}

function publishedMeta({ metadata, spec }: PacketCapture): KnownMeta {
  const { uid, generation, creationTimestamp } = metadata
  const text = JSON.stringify(spec)
  return {
    uid,
    givenUid: undefined,
    generation,
    creationTimestamp,
    spec: text,
    isPublished: true,
  }
}

/** What is published has the spec's fields in another order. */
function takenOver({ isPublished: _, ...known }: KnownMeta, capture: CaptureManifest): KnownMeta {
  const { uid } = capture.metadata
  const isSame = isDeepStrictEqual(JSON.parse(known.spec), capture.spec)
  return {
    ...known,
    givenUid: uid === known.uid ? uid : undefined,
    spec: isSame ? JSON.stringify(capture.spec) : known.spec,
  }
}

/** A text: why it cannot be read. Waits for no writer of a pipe. */
async function read(path: string): Promise<Map<string, KnownMeta> | string> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    if (!(await file.stat()).isFile()) return `Cannot read "${path}": expected a file`
    const known: unknown = JSON.parse(await file.readFile('utf8'))
    return hasShape(known) ? new Map(known) : `Cannot read "${path}": expected identities`
  } catch (error) {
    if (error instanceof SyntaxError) return `Cannot read "${path}": expected JSON`
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? new Map() : osErrorMessage(error)
  }
}

function hasShape(known: unknown): known is [string, KnownMeta][] {
  return (
    Array.isArray(known) &&
    known.every(
      entry =>
        Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1]?.uid === 'string',
    )
  )
}
