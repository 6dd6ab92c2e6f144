// Starts a process that uploads one file (uploadProcess.ts). In: the job, and what its environment
// has beside ours. Out: the process, and what it says. It ends with the test.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Scope } from '../net/namespace.ts'
import type { Job } from './uploadProcess.ts'

export function startUpload(scope: Scope, job: Job, more: NodeJS.ProcessEnv = {}) {
  const env = { ...process.env, ...more }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'uploadProcess.ts')], {
    stdio: 'pipe',
    env,
  })
  scope.teardown(() => child.kill('SIGKILL'))
  child.stdin.end(JSON.stringify(job))
  return {
    child,
    said: text(child.stdout),
    complained: text(child.stderr),
    ended: once(child, 'exit'),
  }
}
