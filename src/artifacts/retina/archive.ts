// Retina's archive of a capture on a node: packet files, their text if asked for, the node's
// network configuration, a log. In: a finished capture. Out: one .tar.gz under its final name, or
// why there is none. Streamed: a few buffers in memory, whatever the size. A failure of anything
// but the packets is written to the log and the note, and the archive is made.
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { freePercent } from '../../files/directories.ts'
import type { ArtifactResult, RetinaArchive } from '../../model/artifact.ts'
import type { ArtifactJob } from '../../model/decision.ts'
import { ExpectedError } from '../../model/errors.ts'
import type { Settings } from '../../model/settings.ts'
import { truncateText } from '../../model/text.ts'
import { fittingName } from '../../runtime/atomicWrite.ts'
import { commitFile, hostFolder, openTemporary } from '../hostFolder.ts'
import { TarGz } from '../tarGz.ts'
import { writeTextFile } from '../text/textFile.ts'
import { archiveStem, type PacketFile, packetFiles } from './names.ts'
import { networkInfoFiles } from './networkInfo.ts'

const messageMax = 1_000

type ArchiveDeps = {
  readonly node: string
  readonly folder: string // of the capture's files
  readonly settings: Pick<Settings, 'captureDiskFreePercentMin'>
  readonly nowMs: number
  readonly signal: AbortSignal
}
type ArchiveJob = ArtifactJob & { readonly artifact: RetinaArchive }

export async function makeRetinaArchive(
  job: ArchiveJob,
  deps: ArchiveDeps,
): Promise<ArtifactResult> {
  const { nowMs: atMs } = deps
  const remarks: string[] = []
  try {
    const path = await pack(job, deps, remark => remarks.push(remark))
    const files = [{ path, bytes: (await stat(path)).size }]
    const note = remarks.length === 0 ? {} : { note: truncateText(remarks.join('; '), messageMax) }
    return { atMs, files, ...note, ...(job.artifact.place && { isKept: true }) }
  } catch (failure) {
    const attempts = (job.facts.artifact?.attempts ?? 0) + 1
    return {
      atMs,
      files: [],
      error: truncateText((failure as Error).message, messageMax),
      attempts,
    }
  }
}

async function pack(
  job: ArchiveJob,
  deps: ArchiveDeps,
  tell: (problem: string) => void,
): Promise<string> {
  const { artifact, capture } = job
  const stem = archiveStem(capture.name, deps.node, artifact.createdAtMs)
  const folder = artifact.place ? await hostFolder(artifact.place) : deps.folder
  const free = await freePercent(folder)
  if (free < deps.settings.captureDiskFreePercentMin)
    throw new ExpectedError(
      `Cannot write an archive to "${folder}": ${Math.floor(free)} % of the disk are free, below captureDiskFreePercentMin`,
    )
  const temporary = join(folder, `.${capture.uid}.tar.gz.part`)
  try {
    await using output = await openTemporary(temporary)
    const tar = await TarGz.open(output, deps.signal)
    await fill(tar, { job, deps, stem, tell })
      .then(() => tar.end())
      .catch(async failure => {
        await tar.abandon()
        throw failure
      })
    await output.sync()
    return await commitFile(
      temporary,
      ['.tar.gz', `-${capture.uid}.tar.gz`].map(suffix => join(folder, fittingName(stem, suffix))),
    )
  } finally {
    await rm(temporary, { force: true })
  }
}

type ArchiveEntries = {
  readonly job: ArchiveJob
  readonly deps: ArchiveDeps
  readonly stem: string
  readonly tell: (problem: string) => void
}

async function fill(tar: TarGz, { job, deps, stem, tell }: ArchiveEntries): Promise<void> {
  const { facts, artifact } = job
  const names = {
    stem,
    files: facts.fileNames,
    endpoints: [...facts.endpoints.keys()],
    fileCount: artifact.fileCount,
  }
  const lines: string[] = []
  const note = (problem: string): void => {
    lines.push(problem)
    tell(problem)
  }
  const packets = packetFiles(names)
  for (const each of packets) await tar.addFile(each.entry, join(deps.folder, each.file))
  if (artifact.display.length > 0)
    for (const each of packets) await addText(tar, each, { job, deps, note })
  if (artifact.includeMetadata) {
    const missing: string[] = []
    for await (const { entry, body } of networkInfoFiles(
      problem => missing.push(problem),
      deps.signal,
    ))
      await tar.addBody(entry, body)
    lines.push(...missing)
    if (missing.length > 0) tell(`metadata is not whole: ${missing.join('; ')}`)
  }
  await tar.addBody('tcpdump.log', Buffer.from(logOf(job, packets, lines)))
}

type TextJob = {
  readonly job: ArchiveJob
  readonly deps: ArchiveDeps
  readonly note: (problem: string) => void
}

async function addText(
  tar: TarGz,
  { file, text }: PacketFile,
  { job, deps, note }: TextJob,
): Promise<void> {
  const temporary = join(deps.folder, fittingName(`.${file}`, '.text'))
  try {
    const wanted = {
      file: join(deps.folder, file),
      text: temporary,
      flags: job.artifact.display,
      signal: deps.signal,
    }
    const problem = await writeTextFile(wanted)
    if (problem !== undefined) note(`${text}: ${problem}`)
    await tar.addFile(text, temporary)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Replaces the output of Retina's tcpdump: counts for each endpoint, and what failed. */
function logOf(
  { capture, facts }: ArchiveJob,
  packets: readonly PacketFile[],
  problems: readonly string[],
): string {
  const rows = [...facts.endpoints.values()].map(
    ({ name, interfaceName, packets: written, received, dropped, refused, message }) =>
      `${name} on ${interfaceName}: ${written} packets captured, ${received} received by filter, ${dropped} dropped by kernel, ${refused} not written${message === undefined ? '' : `; ${message}`}`,
  )
  const files = packets.map(({ file, entry }) => `${entry}: ${file}`)
  return [
    `selcap, capture ${capture.namespace}/${capture.name}, uid ${capture.uid}`,
    '',
    ...rows,
    ...files,
    ...problems,
    '',
  ].join('\n')
}
