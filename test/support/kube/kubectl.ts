// The real kubectl against one API server, as a person would type it. Every call has a time-out,
// longer than those that the tests give to kubectl itself: with etcd gone a request would hang for
// ever.
import { execFile } from 'node:child_process'
import { toolPath } from './tools.ts'

export type Answer = { readonly code: number; readonly out: string; readonly err: string }
export type KubectlOptions = { readonly input?: string; readonly timeoutMs?: number }
/**
 * `home` keeps the cache of the API apart from anybody else's; `within` is a command that runs
 * kubectl where the server is.
 */
export type Access = {
  readonly kubeconfig: string
  readonly home: string
  readonly within: readonly string[]
}

/** What it printed and how it ended, whatever that is. */
export function askKubectl(
  access: Access,
  args: readonly string[],
  { input = '', timeoutMs = 90_000 }: KubectlOptions = {},
): Promise<Answer> {
  const env = { ...process.env, KUBECONFIG: access.kubeconfig, HOME: access.home }
  const [command = '', ...rest] = [...access.within, toolPath('kubectl'), ...args]
  return new Promise(resolve => {
    const child = execFile(
      command,
      rest,
      { env, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 },
      (error, out, err) => {
        resolve({ code: child.exitCode ?? -1, out, err: error && !err ? error.message : err })
      },
    )
    child.stdin?.on('error', () => {}) // a command that does not read says what it thinks with its exit code
    child.stdin?.end(input)
  })
}
