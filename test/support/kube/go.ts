// Finds a Go that is new enough for the pinned modules; root gets one installed. An old one (a
// distribution's) still fetches the right toolchain: it is a Go module like any other, checked
// against the checksum database.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { installPackages, missingPackages } from '../../../scripts/packages.mjs'

export type Go = { readonly command: string; readonly env: NodeJS.ProcessEnv }

const wanted = '1.26.8'
const oldest = [1, 26, 7] // of all go.mod files

/** Throws with the command that installs Go, where there is none. */
export function goCommand(say: (text: string) => void): Go {
  const missing = missingPackages('go')
  if (!ownGo() && missing.length > 0) installPackages(missing, say)
  const own = ownGo()
  if (!own)
    throw new Error(
      'Cannot build Kubernetes for the cluster tests: no Go that runs, expected 1.21 or newer',
    )
  if (isNewEnough(own.version))
    return { command: own.command, env: { ...process.env, GOTOOLCHAIN: 'local' } }
  say(
    `Fetching Go ${wanted}: ${own.command} is ${own.version}, expected ${oldest.join('.')} or newer`,
  )
  return fetchGo(own.command)
}

function ownGo(): { readonly command: string; readonly version: string } | undefined {
  for (const command of ['go', '/usr/local/go/bin/go']) {
    const version = /go(\d+(?:\.\d+)*)/.exec(ask(command, ['version']).stdout ?? '')?.[1]
    if (version) return { command, version }
  }
  return undefined
}

export function fetchGo(own: string): Go {
  const cpu = process.arch === 'x64' ? 'amd64' : process.arch
  const name = `golang.org/toolchain@v0.0.1-go${wanted}.${process.platform}-${cpu}`
  const answer = ask(own, ['mod', 'download', '-json', name])
  if (answer.status !== 0) throw new Error(`Cannot fetch ${name}: ${answer.stdout}${answer.stderr}`)
  const root: string = JSON.parse(answer.stdout).Dir
  // A module's zip carries no modes.
  for (const file of [
    ...filesIn(join(root, 'bin')),
    ...filesIn(join(root, 'pkg', 'tool', `${process.platform}_${cpu}`)),
  ])
    chmodSync(file, 0o755)
  return {
    command: join(root, 'bin', 'go'),
    env: { ...process.env, GOROOT: root, GOTOOLCHAIN: 'local' },
  }
}

function ask(
  command: string,
  args: readonly string[],
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(command, args, {
    cwd: '/',
    encoding: 'utf8',
    env: { ...process.env, GOTOOLCHAIN: 'local', GO111MODULE: 'on' },
  })
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map(name => join(folder, name)) : []
}

function isNewEnough(version: string): boolean {
  const parts = version.split('.').map(Number)
  const differs = oldest.findIndex((part, index) => part !== (parts[index] ?? 0))
  return differs === -1 || (parts[differs] ?? 0) > (oldest[differs] ?? 0)
}
