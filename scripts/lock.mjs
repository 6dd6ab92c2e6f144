// One at a time: runs a command under flock(1), which lets go by itself when its holder dies,
// however it dies. In: the lock's file and a command. Out: its exit code. Where there is no flock
// (macOS) it runs unlocked.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

const taken = 75

export function runLocked(lockFile, command, env = process.env) {
  mkdirSync(dirname(lockFile), { recursive: true })
  const options = { stdio: 'inherit', env }
  const first = spawnSync(
    'flock',
    ['--close', '--nonblock', '--conflict-exit-code', String(taken), lockFile, ...command],
    options,
  )
  if (first.error?.code === 'ENOENT')
    return exitCode(spawnSync(command[0], command.slice(1), options))
  if (first.status !== taken) return exitCode(first)
  process.stderr.write(`Waiting for another run that holds ${lockFile}\n`)
  return exitCode(spawnSync('flock', ['--close', lockFile, ...command], options))
}

function exitCode({ status, error }) {
  if (error) throw error
  return status ?? 1
}
