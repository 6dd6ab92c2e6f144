export class TapCount {
  passed: number
  failed: number
  skipped: string[]
  take(line: string): string | undefined
  end(exitCode: number | string): string | undefined
}
