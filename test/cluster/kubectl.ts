// The real kubectl against one API server, as a person would type it. Every call has a time-out: with etcd gone a
// request would hang for ever.
import { execFile } from 'node:child_process'
import { toolPath } from './tools.ts'

export type Answer = { readonly code: number; readonly out: string; readonly err: string }
export type KubectlOptions = { readonly input?: string; readonly timeoutMs?: number; readonly env?: NodeJS.ProcessEnv }

/** What it printed and how it ended, whatever that is. `home` keeps its cache of the API apart from anybody else's. */
export function askKubectl(kubeconfig: string, home: string, args: readonly string[], options: KubectlOptions = {}): Promise<Answer> {
  const { input = '', timeoutMs = 30_000 } = options
  const env = { ...process.env, ...options.env, KUBECONFIG: kubeconfig, HOME: home }
  return new Promise(resolve => {
    const child = execFile(toolPath('kubectl'), args, { env, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 }, (error, out, err) => {
      resolve({ code: child.exitCode ?? -1, out, err: error && !err ? error.message : err })
    })
    child.stdin?.on('error', () => {}) // a command that does not read says what it thinks with its exit code
    child.stdin?.end(input)
  })
}
