// Draws the progress of a download on one terminal line: a bar, the current rate and the remaining
// time. Draws nothing if the stream is no terminal.
import { bar } from './liveTable.ts'
import { sizeText } from './sizes.ts'

export type Reading = { readonly atMs: number; readonly bytes: number }

const barCells = 24
const rateMs = 5_000
const redrawMs = 200

/** Formats the line. Pure. In: bytes so far, readings of the last seconds. */
export function progressLine(bytes: number, total: number, readings: readonly Reading[]): string {
  const [first, last] = [readings[0], readings.at(-1)]
  const seconds = first && last ? (last.atMs - first.atMs) / 1_000 : 0
  const rate = seconds > 0 && first && last ? (last.bytes - first.bytes) / seconds : 0
  const share = total === 0 ? 1 : Math.min(1, bytes / total)
  const left =
    rate > 0 ? `${sizeText(Math.round(rate))}/s   ${timeText((total - bytes) / rate)} left` : ''
  return `${bar(share, barCells)} ${`${Math.floor(share * 100)}`.padStart(3)} %   ${sizeText(bytes)} of ${sizeText(total)}   ${left}`.trimEnd()
}

export class Progress implements Disposable {
  readonly #total: number
  readonly #terminal = process.stderr
  #readings: Reading[] = []
  #drawnMs = 0
  #bytes = 0

  constructor(total: number) {
    this.#total = total
  }

  set(bytes: number): void {
    this.#bytes = bytes
    const atMs = performance.now()
    if (!this.#terminal.isTTY || atMs - this.#drawnMs < redrawMs) return
    this.#drawnMs = atMs
    this.#readings = [
      ...this.#readings.filter(reading => atMs - reading.atMs < rateMs),
      { atMs, bytes },
    ]
    this.#draw()
  }

  /** Prints a line above the progress line. */
  print(text: string): void {
    this.#terminal.write(`${this.#terminal.isTTY ? '\r\u001b[K' : ''}${text}\n`)
  }

  [Symbol.dispose](): void {
    if (this.#terminal.isTTY) this.#terminal.write('\r\u001b[K')
  }

  #draw(): void {
    const line = progressLine(this.#bytes, this.#total, this.#readings)
    this.#terminal.write(`\r\u001b[K${line.slice(0, (this.#terminal.columns || 80) - 1)}`)
  }
}

function timeText(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds))
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor((whole % 3_600) / 60)]
  if (hours > 0) return `${hours}h${minutes}m`
  return minutes > 0 ? `${minutes}m${whole % 60}s` : `${whole}s`
}
