// The capture files of one directory, as this process knows them. In: what it made, renamed and
// removed, and from time to time a new listing, which has what others did. Out: names and sizes
// without a system call. src/files/rotation.ts changes files, usage.ts lists the directory.
import { rotatedAtMs, rotatedOf } from './names.ts'

/** By name. */
export type FileSizes = ReadonlyMap<string, number>

export class FileList {
  readonly #sizes = new Map<string, number>() // by name
  readonly #rotated = new Map<string, string[]>() // by the active file's name: the oldest first
  #names: readonly string[] | undefined // sorted; undefined: to be sorted
  #found = 0

  /** Grows with each listing that has other files than were known. */
  get found(): number {
    return this.#found
  }

  get sizes(): FileSizes {
    return this.#sizes
  }

  /** Sorted. */
  get names(): readonly string[] {
    this.#names ??= [...this.#sizes.keys()].toSorted()
    return this.#names
  }

  set(name: string, bytes: number): void {
    if (!this.#sizes.has(name)) this.#names = undefined
    this.#sizes.set(name, bytes)
  }

  /** `name`: the newest rotated file of the active file's series. */
  addRotated(active: string, name: string, bytes: number): void {
    this.rotatedOf(active)
    this.#rotated.get(active)?.push(name)
    this.set(name, bytes)
  }

  delete(name: string): void {
    if (!this.#sizes.delete(name)) return
    this.#names = undefined
    for (const names of this.#rotated.values()) {
      const at = names.indexOf(name)
      if (at !== -1) names.splice(at, 1)
    }
  }

  /** What a new listing found. */
  replace(found: FileSizes): void {
    const known = this.#sizes
    if (found.size !== known.size || !found.keys().every(name => known.has(name))) this.#found++
    this.#sizes.clear()
    this.#rotated.clear()
    for (const [name, bytes] of found) this.#sizes.set(name, bytes)
    this.#names = undefined
  }

  /** The rotated files of a series, the oldest first. */
  rotatedOf(active: string): readonly string[] {
    const known = this.#rotated.get(active)
    if (known) return known
    const names = rotatedOf(active, [...this.#sizes.keys()])
    this.#rotated.set(active, names)
    return names
  }

  /** When the newest rotated file of a series got its name; 0: there is none. */
  lastRotatedAtMs(active: string): number {
    const last = this.rotatedOf(active).at(-1)
    return last === undefined ? 0 : rotatedAtMs(last)
  }
}
