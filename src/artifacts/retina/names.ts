// Names of Retina's archives and of their entries. Pure. In: capture, node, time, the capture's
// files. Out: names. The files of one interface are numbered by age, oldest first.

/** `<capture>-<node>-<YYYYMMDDHHMMSS>UTC`. */
export function archiveStem(capture: string, node: string, atMs: number | undefined): string {
  const time =
    atMs === undefined
      ? '00010101000000'
      : new Date(atMs).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)
  return `${capture}-${node}-${time}UTC`
}

type NameOptions = {
  readonly stem: string
  readonly files: readonly string[] // as src/files names them: {endpoint}_{interface}, with a time when rotated
  readonly endpoints: readonly string[]
  readonly fileCount: number | undefined // missing: the capture asks for no rotation
}

export type PacketFile = { readonly file: string; readonly entry: string; readonly text: string }

/** The entry of each file, and of its text. One interface: `<stem>.pcap`. */
export function packetFiles({ stem, files, endpoints, fileCount }: NameOptions): PacketFile[] {
  const series = [...Map.groupBy(files.toSorted(byAge), seriesOf)].toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  )
  const owners = series.map(
    ([name]) => endpoints.find(endpoint => name.startsWith(`${endpoint}_`)) ?? name,
  )
  return series.flatMap(([name, members], index) => {
    const owner = owners[index] ?? name
    const isAlone = owners.filter(other => other === owner).length === 1
    const base = series.length === 1 ? stem : `${stem}-${isAlone ? owner : name}`
    return numbered(base, members, fileCount)
  })
}

function numbered(
  base: string,
  files: readonly string[],
  fileCount: number | undefined,
): PacketFile[] {
  if (fileCount === 1 || (fileCount === undefined && files.length === 1))
    return files.slice(-1).map(file => ({ file, entry: `${base}.pcap`, text: `${base}.txt` }))
  const digits = String(Math.max(fileCount ?? 0, files.length) - 1).length
  return files.map((file, index) => {
    const entry = `${base}.pcap${String(index).padStart(digits, '0')}`
    return { file, entry, text: `${entry}.txt` }
  })
}

const rotation = /-(\d{8}T\d{6}\.\d{3}Z)\.pcap$/

function seriesOf(file: string): string {
  return file.replace(rotation, '').replace(/\.pcap$/, '')
}

// The active file is the youngest.
function byAge(a: string, b: string): number {
  const [first = '~', second = '~'] = [a, b].map(file => rotation.exec(file)?.[1])
  return first < second ? -1 : first > second ? 1 : 0
}
