// Gives captures that come from files what an API server would: uid, generation, creation time.
// In: a capture as written and the file that remembers earlier ones. Out: its metadata completed.
// A resource that was gone and comes back under its name is a new one; an edited spec is a new generation.
// An expired one (its ttl passed) stays away until its manifest changes. Does not watch anything (manifestSource.ts does).
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
  #stored: string // what stands in the file
  #unstored: string | undefined

  constructor(file: string) {
    this.#file = file
    this.#known = read(file)
    this.#stored = JSON.stringify([...this.#known])
  }

  /** Why the file lags behind (a full disk); undefined: it does not. The next assign() tries again. */
  get unstored(): string | undefined {
    return this.#unstored
  }

  /** All captures that stand now, expired ones left out. Whoever is not among them is forgotten. */
  assign(captures: readonly CaptureManifest[], nowMs: number): PacketCapture[] {
    const next = new Map(
      captures.map(capture => [captureKey(capture.metadata), assignMeta(capture, this.#known.get(captureKey(capture.metadata)), nowMs)]),
    )
    this.#replace(next)
    return captures.flatMap(capture => {
      const known = next.get(captureKey(capture.metadata))
      if (!known || known.isExpired) return []
      const { uid, generation, creationTimestamp } = known
      return [{ ...capture, metadata: { ...capture.metadata, uid, generation, creationTimestamp } }]
    })
  }

  /** The resource is over although its manifest is still there. */
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

/** Undefined, or what the file system said. */
function store(file: string, text: string): string | undefined {
  try {
    atomicWriteSync(file, text, { isLasting: true }) // a new uid would disown the files of earlier runs
    return undefined
  } catch (error) {
    return osErrorMessage(error)
  }
}

function assignMeta(capture: CaptureManifest, known: KnownMeta | undefined, nowMs: number): KnownMeta {
  const spec = JSON.stringify(capture.spec)
  const givenUid = capture.metadata.uid
  if (!known || known.givenUid !== givenUid || (known.isExpired && known.spec !== spec)) {
    // An API server keeps whole seconds, and so do we: the creation time orders captures and shows their age.
    const creationTimestamp = capture.metadata.creationTimestamp ?? new Date(nowMs).toISOString().replace(/\.\d+/, '')
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
