// Publishes each capture as {directory}/{namespace}/{name}.yaml, as `kubectl get -o yaml` prints
// it, and reads such a directory back for `selcap get`. A file is replaced atomically and only when
// its text changes; the file of a deleted capture is removed. Touches nothing else in the
// directory.
import { constants } from 'node:fs'
import { open, readdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseDocument, stringify } from 'yaml'
import { foldStatus, type PacketCaptureStatus } from '../core/status/fold.ts'
import { captureKey } from '../model/captureRef.ts'
import { ExpectedError, isExpected } from '../model/errors.ts'
import type { NodeReport, Publisher } from '../model/publisher.ts'
import type { PacketCapture } from '../model/world.ts'
import { atomicWrite, fittingName } from '../runtime/atomicWrite.ts'
import { ifThere, namesIn, removeIfEmpty } from '../runtime/ifThere.ts'
import { makeDirectory } from '../runtime/makeDirectory.ts'

export type PublishedCapture = PacketCapture & { readonly status?: PacketCaptureStatus }

/** What is left out, and why. */
type Tell = (message: string) => void

// JSON takes a tenth of the time of YAML: comparing it each turn shows that nothing changed.
type WrittenFile = { readonly json: string; readonly text: string }

export class StatusDirectory implements Publisher {
  readonly #directory: string
  readonly #written = new Map<string, WrittenFile>() // by file: its content
  readonly #statuses = new Map<string, PacketCaptureStatus>() // uid → last, for the conditions' transition times

  /** `published`: what an earlier run published. */
  constructor(directory: string, published: readonly PublishedCapture[]) {
    this.#directory = directory
    for (const capture of published)
      this.#remember(capture, { json: JSON.stringify(capture), text: toYaml(capture) })
  }

  async publish({ world, elements, nowMs }: NodeReport): Promise<void> {
    const served = world.captures.filter(capture => capture.kind === 'PacketCapture')
    const captures = served.map((capture): PublishedCapture => {
      const element = elements.get(captureKey(capture.metadata))
      const previous = this.#statuses.get(capture.metadata.uid)
      const { generation } = capture.metadata
      return {
        ...capture,
        status: foldStatus({
          elements: element ? [element] : [],
          generation,
          nowMs,
          ...(previous && { previous }),
        }),
      }
    })
    const refusals: unknown[] = []
    for (const capture of captures) await this.#write(capture).catch(error => refusals.push(error))
    if (world.isSynced && world.isComplete !== false) await this.#removeAllBut(captures, refusals)
    if (refusals.length > 0) throw refusals[0] // after all others were written and removed
  }

  #fileOf({ metadata }: PublishedCapture): string {
    return join(this.#directory, metadata.namespace, fittingName(metadata.name, '.yaml'))
  }

  #remember(capture: PublishedCapture, written: WrittenFile): void {
    this.#written.set(this.#fileOf(capture), written)
    if (capture.status) this.#statuses.set(capture.metadata.uid, capture.status)
  }

  // Remembered after the write: what a full disk refused is written by a later turn.
  async #write(capture: PublishedCapture): Promise<void> {
    const file = this.#fileOf(capture)
    const before = this.#written.get(file)
    const json = JSON.stringify(capture)
    if (json === before?.json) return
    const text = toYaml(capture)
    if (text !== before?.text) {
      await makeDirectory(dirname(file))
      await atomicWrite(file, text, { isLasting: false }) // the next run makes it again
    }
    this.#remember(capture, { json, text })
  }

  async #removeAllBut(captures: readonly PublishedCapture[], refusals: unknown[]): Promise<void> {
    const files = new Set(captures.map(capture => this.#fileOf(capture)))
    const uids = new Set(captures.map(({ metadata }) => metadata.uid))
    for (const uid of this.#statuses.keys()) if (!uids.has(uid)) this.#statuses.delete(uid)
    for (const file of [...this.#written.keys()].filter(known => !files.has(known))) {
      try {
        await ifThere(unlink(file))
        this.#written.delete(file)
        await removeIfEmpty(dirname(file))
      } catch (error) {
        refusals.push(error)
      }
    }
  }
}

/**
 * Every capture of a status directory, by namespace and name. A file that is being replaced is read
 * whole, before or after; one without a capture (a power cut may leave it empty) is omitted. What
 * cannot be read is told and omitted.
 */
export async function readStatusDirectory(
  directory: string,
  tell: Tell,
): Promise<PublishedCapture[]> {
  const namespaces = (await readdir(directory, { withFileTypes: true }))
    .filter(entry => entry.isDirectory())
    .map(({ name }) => join(directory, name))
  const names = await Promise.all(
    namespaces.map(async path => {
      const found = await ifReadable(path, tell, () => namesIn(path))
      return (found ?? []).filter(name => name.endsWith('.yaml')).map(name => join(path, name))
    }),
  )
  const texts = await Promise.all(
    names
      .flat()
      .toSorted()
      .map(path => ifReadable(path, tell, () => ifThere(readText(path)))),
  )
  return texts.map(text => readCapture(text ?? '')).filter(capture => capture !== undefined)
}

/** Waits for no writer of a pipe. */
async function readText(path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  if (!(await file.stat()).isFile()) throw new ExpectedError('it is no file')
  return await file.readFile('utf8')
}

async function ifReadable<T>(path: string, tell: Tell, read: () => Promise<T>) {
  try {
    return await read()
  } catch (error) {
    if (!isExpected(error)) throw error
    tell(`Cannot read "${path}": ${error.message}`)
    return undefined
  }
}

function readCapture(text: string): PublishedCapture | undefined {
  const document = parseDocument(text)
  const found =
    document.errors.length === 0 ? (document.toJS() as Partial<PublishedCapture> | null) : null
  return found?.kind === 'PacketCapture' && found.metadata ? (found as PublishedCapture) : undefined
}

/** YAML as kubectl prints it: keys sorted, sequences not indented. */
export function toYaml(value: unknown): string {
  return stringify(value, {
    version: '1.1',
    indentSeq: false,
    sortMapEntries: true,
    lineWidth: 0,
    aliasDuplicateObjects: false,
  })
}
