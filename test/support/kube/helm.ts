// The real Helm. In: its arguments, and the kubeconfig of an API server where it needs one. Out:
// what it printed and how it ended. Its cache and its settings lie in a folder of the call.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Answer } from './kubectl.ts'
import { toolPath } from './tools.ts'

const timeoutMs = 120_000

export async function askHelm(args: readonly string[], kubeconfig = '/dev/null'): Promise<Answer> {
  const home = mkdtempSync(join(tmpdir(), 'selcap-helm-'))
  const env = { PATH: process.env.PATH, HOME: home, HELM_DRIVER: 'secret', KUBECONFIG: kubeconfig }
  try {
    return await new Promise<Answer>(resolve => {
      const options = { env, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 }
      const child = execFile(toolPath('helm'), args, options, (error, out, err) =>
        resolve({ code: child.exitCode ?? -1, out, err: error && !err ? error.message : err }),
      )
      child.stdin?.end()
    })
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** What it printed; throws where it failed. */
export async function runHelm(args: readonly string[], kubeconfig?: string): Promise<string> {
  const { code, out, err } = await askHelm(args, kubeconfig)
  if (code !== 0) throw new Error(`helm ${args.join(' ')} ended with ${code}: ${err}`)
  return out
}
