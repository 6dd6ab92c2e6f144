// The committed (or about to be committed) files of the repository, as the tests in this folder
// look at them.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/repository.ts'

const made = /(^|\/)(node_modules|build|\.cache|\.git)$/

/**
 * Paths from the root, with forward slashes: git's list, or without git (an archive) everything
 * that is not made by a tool.
 */
export const files: readonly string[] = existsSync(join(root, '.git')) ? listedByGit() : listed('')

export function under(...folders: readonly string[]): readonly string[] {
  return files.filter(file => folders.some(folder => file.startsWith(`${folder}/`)))
}

export const code: readonly string[] = under(
  'src',
  'grammar',
  'native',
  'test',
  'bench',
  'scripts',
).filter(file => /\.(ts|mjs|c|h)$/.test(file))

function listedByGit(): string[] {
  const text = execFileSync(
    'git',
    ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  )
  return text.split('\0').filter(file => file !== '' && existsSync(join(root, file)))
}

function listed(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (made.test(path)) return []
    return entry.isDirectory() ? listed(path) : [path]
  })
}
