// How often the files of one tap are rotated by size. In: rotations and the time. Out: the size
// below which the next file is not rotated. A tap may rotate some files at once, and then one each
// second: each costs the node a few system calls, and all taps share them. Pure.
import { smallFile } from '../model/capture.ts'

const refillMs = 1_000

export class RotationRate {
  #left: number = smallFile.atOnce
  #refilledAtMs: number

  constructor(nowMs: number) {
    this.#refilledAtMs = nowMs
  }

  rotated(nowMs: number): void {
    this.#refill(nowMs)
    this.#left = Math.max(0, this.#left - 1)
  }

  /** 0: the next file may be as small as it is meant to be. */
  floorBytes(nowMs: number): number {
    this.#refill(nowMs)
    return this.#left > 0 ? 0 : smallFile.bytes
  }

  // A clock that was set back begins a new second.
  #refill(nowMs: number): void {
    const seconds = Math.floor((nowMs - this.#refilledAtMs) / refillMs)
    if (seconds >= 0 && seconds < 1) return
    this.#left = Math.min(smallFile.atOnce, this.#left + Math.max(0, seconds))
    this.#refilledAtMs = seconds > 0 ? this.#refilledAtMs + seconds * refillMs : nowMs
  }
}
