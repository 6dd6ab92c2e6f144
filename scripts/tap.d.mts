export type Duration = { readonly ms: number; readonly testFile: string; readonly title: string }
export class TapCount {
  passed: number
  failed: number
  skipped: string[]
  take(line: string): string | undefined
  end(exitCode: number | string): string | undefined
  slowest(count: number): Duration[]
}
