// Finds a Go that is new enough for the pinned modules. An older one (a distribution's) can still fetch the right
// toolchain: it is a Go module like any other, checked against the checksum database.
import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const wanted = '1.26.8'
const oldest = [1, 26, 6]
let found // one look-up a process: each costs a fork, or a download

export function goCommand(say) {
  found ??= look(say)
  return found
}

function look(say) {
  const own = ['go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go'].find(command => versionOf(command))
  if (!own)
    throw new Error("Cannot build the cluster tests' Kubernetes: found no Go; on Debian and Ubuntu run: sudo apt-get install -y golang-go")
  if (isNewEnough(versionOf(own))) return { command: own, env: { ...process.env, GOTOOLCHAIN: 'local' } }
  say(`Fetching Go ${wanted}: ${own} is ${versionOf(own)}, older than ${oldest.join('.')}`)
  return fetched(own)
}

function fetched(own) {
  const cpu = { x64: 'amd64', arm64: 'arm64' }[process.arch] ?? process.arch
  const name = `golang.org/toolchain@v0.0.1-go${wanted}.${process.platform}-${cpu}`
  const answer = spawnSync(own, ['mod', 'download', '-json', name], {
    cwd: '/',
    encoding: 'utf8',
    env: { ...process.env, GO111MODULE: 'on' },
  })
  if (answer.status !== 0) throw new Error(`Cannot fetch ${name}: ${answer.stdout}${answer.stderr}`)
  const root = JSON.parse(answer.stdout).Dir
  for (const folder of ['bin', `pkg/tool/${process.platform}_${cpu}`]) {
    for (const file of filesIn(join(root, folder))) chmodSync(file, 0o755) // a module's zip carries no modes
  }
  return { command: join(root, 'bin', 'go'), env: { ...process.env, GOROOT: root, GOTOOLCHAIN: 'local' } }
}

function filesIn(folder) {
  try {
    return readdirSync(folder)
      .map(name => join(folder, name))
      .filter(file => statSync(file).isFile())
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    return []
  }
}

function versionOf(command) {
  const answer = spawnSync(command, ['version'], { encoding: 'utf8', env: { ...process.env, GOTOOLCHAIN: 'local' } })
  return /go(\d+(?:\.\d+)*)/.exec(answer.stdout ?? '')?.[1]
}

function isNewEnough(version) {
  const parts = version.split('.').map(Number)
  const differs = oldest.findIndex((part, index) => part !== (parts[index] ?? 0))
  return differs === -1 || (parts[differs] ?? 0) > oldest[differs]
}
