// What a run of tests left in the checkout. In: nothing; it asks git. Out: the paths that git does
// not know and does not ignore. Without git (an archive) it sees nothing.
import { spawnSync } from 'node:child_process'
import { root } from './bundled.mjs'

export function untrackedFiles() {
  const args = ['-c', 'safe.directory=*', 'ls-files', '-z', '--others', '--exclude-standard']
  const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout.split('\0').filter(path => path !== '') : []
}
