// Assigns what an API server would to captures from files: uid, generation, creation time. In: a
// capture as written, and the file with earlier identities. Out: its complete metadata. A resource
// that was removed and returns under its name is a new one; an edited spec is a new generation. A
// capture whose ttl passed stays away until its manifest changes. manifestSource.ts watches.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { captureKey } from '../model/captureRef.ts'
import { ExpectedError, osErrorMessage } from '../model/errors.ts'
import type { ObjectMeta, PacketCapture } from '../model/world.ts'
import { atomicWriteSync } from '../runtime/atomicWrite.ts'

type KnownMeta = {
  readonly uid: string
  readonly givenUid: string | undefined
  readonly generation: number
  readonly creationTimestamp: string
  readonly spec: string
  readonly isExpired?: boolean
}

export type CaptureManifest = Omit<PacketCapture, 'metadata'> & {
  readonly metadata: Partial<ObjectMeta> & { readonly name: string; readonly namespace: string }
}

export class StandaloneMeta {
  readonly #file: string
  readonly #known: Map<string, KnownMeta>
  #stored: string // the file's content
  #unstored: string | undefined

  constructor(file: string) {
    this.#file = file
    this.#known = read(file)
    this.#stored = JSON.stringify([...this.#known])
  }

  /**
   * Why the file lags behind (a full disk); undefined: it does not. The next assign() tries again.
   */
  get unstored(): string | undefined {
    return this.#unstored
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
    const text = JSON.stringify([...next])
    this.#unstored = text === this.#stored ? undefined : store(this.#file, text)
    if (this.#unstored === undefined) this.#stored = text
  }
}

/** The file system's error; undefined: none. */
function store(file: string, text: string): string | undefined {
  try {
    atomicWriteSync(file, text, { isLasting: true }) // a lost uid would orphan the files of earlier runs
    return undefined
  } catch (error) {
    return osErrorMessage(error)
  }
}

function assignMeta(
  capture: CaptureManifest,
  known: KnownMeta | undefined,
  nowMs: number,
): KnownMeta {
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

function read(file: string): Map<string, KnownMeta> {
  try {
    return new Map(JSON.parse(readFileSync(file, 'utf8')) as [string, KnownMeta][])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw new ExpectedError(
      `Cannot read identities from "${file}": expected what an earlier run wrote there; move the file away to start afresh`,
      {
        cause: error,
      },
    )
  }
}
