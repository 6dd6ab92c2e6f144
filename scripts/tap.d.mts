export type Duration = { readonly ms: number; readonly testFile: string; readonly title: string }
export type Result = Duration & { readonly isPassed: boolean }
export class TapCount {
  passed: number
  failed: number
  skipped: string[]
  take(line: string): string | undefined
  end(exitCode: number | string, mayBeEmpty?: boolean): string | undefined
  add(more: Pick<TapCount, 'passed' | 'failed' | 'skipped'>): void
  readonly failures: Result[]
  replace(testFiles: readonly string[], again: TapCount): Result[]
  slowest(count: number): Duration[]
}
