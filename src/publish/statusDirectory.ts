// Publishes each capture as {directory}/{namespace}/{name}.yaml, whole, as `kubectl get -o yaml` would print it,
// and reads such a directory back for `selcap get`. A file is replaced atomically and only when its text changes;
// the file of a capture that is gone is removed. Touches nothing else in the directory.
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parse, stringify } from 'yaml'
import { captureKey } from '../model/capture.ts'
import type { PacketCapture } from '../model/world.ts'
import { foldStatus, type PacketCaptureStatus } from '../status/fold.ts'
import type { NodeReport, Publisher } from './publisher.ts'

export type PublishedCapture = PacketCapture & { readonly status?: PacketCaptureStatus }

// JSON takes a tenth of the time of YAML: it tells, turn by turn, that nothing is new.
type Written = { readonly json: string; readonly text: string }

export class StatusDirectory implements Publisher {
  readonly #directory: string
  readonly #written = new Map<string, Written>() // by file: what stands in it
  readonly #statuses = new Map<string, PacketCaptureStatus>() // uid → last, for the conditions' transition times

  private constructor(directory: string, published: readonly PublishedCapture[]) {
    this.#directory = directory
    for (const capture of published) this.#remember(capture, JSON.stringify(capture))
  }

  /** Takes over what an earlier run published. */
  static async open(directory: string): Promise<StatusDirectory> {
    await mkdir(directory, { recursive: true })
    return new StatusDirectory(directory, await readStatusDirectory(directory))
  }

  async publish({ world, elements, nowMs }: NodeReport): Promise<void> {
    const captures = world.captures.map((capture): PublishedCapture => {
      const element = elements.get(captureKey(capture.metadata))
      const previous = this.#statuses.get(capture.metadata.uid)
      const { generation } = capture.metadata
      return { ...capture, status: foldStatus({ elements: element ? [element] : [], generation, nowMs, ...(previous && { previous }) }) }
    })
    for (const capture of captures) await this.#write(capture)
    if (world.complete) await this.#removeAllBut(captures)
  }

  #fileOf({ metadata }: PublishedCapture): string {
    return join(this.#directory, metadata.namespace, `${metadata.name}.yaml`)
  }

  #remember(capture: PublishedCapture, json: string): string {
    const text = toYaml(capture)
    this.#written.set(this.#fileOf(capture), { json, text })
    if (capture.status) this.#statuses.set(capture.metadata.uid, capture.status)
    return text
  }

  async #write(capture: PublishedCapture): Promise<void> {
    const file = this.#fileOf(capture)
    const before = this.#written.get(file)
    const json = JSON.stringify(capture)
    if (json === before?.json) return
    const text = this.#remember(capture, json)
    if (text === before?.text) return
    await mkdir(dirname(file), { recursive: true })
    await writeFile(`${file}.tmp`, text)
    await rename(`${file}.tmp`, file)
  }

  async #removeAllBut(captures: readonly PublishedCapture[]): Promise<void> {
    const files = new Set(captures.map(capture => this.#fileOf(capture)))
    const uids = new Set(captures.map(({ metadata }) => metadata.uid))
    for (const uid of this.#statuses.keys()) if (!uids.has(uid)) this.#statuses.delete(uid)
    for (const file of [...this.#written.keys()].filter(known => !files.has(known))) {
      await rm(file, { force: true })
      await rmdir(dirname(file)).catch(ignoreNotEmpty)
      this.#written.delete(file)
    }
  }
}

/** Every capture of a status directory, by namespace and name. A file that is being replaced is read whole, before or after. */
export async function readStatusDirectory(directory: string): Promise<PublishedCapture[]> {
  const files = await readdir(directory, { recursive: true })
  const texts = await Promise.all(
    files
      .filter(file => file.endsWith('.yaml'))
      .toSorted()
      .map(file => readIfThere(join(directory, file))),
  )
  return texts.filter(text => text !== undefined).map(text => parse(text) as PublishedCapture)
}

/** YAML as kubectl prints it: keys sorted, sequences not indented. */
export function toYaml(value: unknown): string {
  return stringify(value, { version: '1.1', indentSeq: false, sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false })
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function ignoreNotEmpty(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT') throw error
}
