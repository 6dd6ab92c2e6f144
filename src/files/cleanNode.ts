// Removes what selcap left on a node. In: a directory of captures, or one of results. Out: how many
// files went, and the names of what stays, because it is not selcap's. Follows no symbolic link.
import { readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ifThere, namesIn, removeIfEmpty } from '../runtime/ifThere.ts'
import { listFolders } from './directories.ts'

export type Cleaned = { readonly removed: number; readonly left: readonly string[] }

// Retina's archives and the single files of PacketCaptureConfigs, also those half made. Their time
// is in their names: a file of another program beside them stays.
const resultName =
  /^(.+-(\d{14}UTC\.tar\.gz|\d{8}-\d{6}\.(pcap|txt)(\.gz)?(\.part)?)|\.[\da-f-]{36}\.tar\.gz\.part)$/

/** Only directories with a state file: others, such as Calico's own captures, stay. */
export async function cleanCaptures(captureDir: string, top: string): Promise<Cleaned> {
  const { found } = await listFolders(captureDir)
  let removed = 0
  for (const { directory } of found.values()) {
    removed += (await namesIn(directory)).filter(name => !name.startsWith('.')).length
    await rm(directory, { recursive: true, force: true })
    await removeIfEmpty(dirname(directory))
  }
  await removeEmpty(captureDir, top)
  return { removed, left: await namesIn(captureDir) }
}

/** Files by their names. */
export async function cleanResults(directory: string, top: string): Promise<Cleaned> {
  const removed = await removeResults(directory)
  await removeEmpty(directory, top)
  return { removed, left: await namesIn(directory) }
}

async function removeResults(directory: string): Promise<number> {
  const entries = (await ifThere(readdir(directory, { withFileTypes: true }))) ?? []
  let removed = 0
  for (const entry of entries) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) {
      removed += await removeResults(path)
      await removeIfEmpty(path)
    } else if (entry.isFile() && resultName.test(entry.name)) {
      await rm(path, { force: true })
      removed++
    }
  }
  return removed
}

/** It and the directories above it that are empty then; `top` stays. */
async function removeEmpty(directory: string, top: string): Promise<void> {
  for (let each = directory; each !== top && each !== dirname(each); each = dirname(each))
    await removeIfEmpty(each)
}
