// Formats captures of other APIs: a table with kubectl's columns, and one capture in full. In: the
// object from the API server. Out: text. The state of a node is formatted in the same way for
// every API.
import { stringify } from 'yaml'
import { ageOf } from '../../core/status/age.ts'
import type { Api } from '../../model/captureRef.ts'
import type { FileStatus } from '../../model/status.ts'
import type { OtherCapture } from '../../model/world.ts'

type Condition = {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}
type OtherApiStatus = Readonly<Record<string, unknown>> & {
  readonly conditions?: readonly Condition[]
  readonly files?: readonly (FileStatus & {
    readonly artifact?: {
      readonly files?: readonly { readonly path: string }[]
      readonly error?: string
    }
  })[]
}
export type OtherApiRow = OtherCapture & { readonly status?: OtherApiStatus }

type Column = readonly [name: string, cell: (capture: OtherApiRow) => unknown]

const columns: Readonly<Record<Exclude<Api, 'PacketCapture'>, readonly Column[]>> = {
  Capture: [
    ['COMPLETE', ({ status }) => conditionOf(status, 'complete')?.status],
    ['ERROR', ({ status }) => conditionOf(status, 'error')?.reason],
    ['ACTIVE', ({ status }) => status?.active],
    ['SUCCEEDED', ({ status }) => status?.succeeded],
    ['FAILED', ({ status }) => status?.failed],
  ],
  PacketCaptureConfig: [
    ['PHASE', ({ status }) => status?.phase],
    ['MESSAGE', ({ status }) => status?.message],
  ],
}

export function otherApiTable(
  captures: readonly OtherApiRow[],
  api: Exclude<Api, 'PacketCapture'>,
  nowMs: number,
): string[][] {
  const head = ['NAME', ...columns[api].map(([name]) => name), 'AGE']
  const rows = captures.map(capture => [
    capture.metadata.name,
    ...columns[api].map(([, cell]) => `${cell(capture) ?? ''}`.replaceAll(/\s*\n\s*/g, ' ')),
    ageOf(nowMs - Date.parse(capture.metadata.creationTimestamp)),
  ])
  return [head, ...rows]
}

/** The lines before the nodes. */
export function otherApiHead({ kind, metadata, spec, status }: OtherApiRow): string {
  const { conditions = [], files: _, ...rest } = status ?? {}
  const facts = {
    Name: metadata.name,
    ...(metadata.namespace && { Namespace: metadata.namespace }),
    Kind: kind,
    Created: metadata.creationTimestamp,
    Spec: spec,
    ...(Object.keys(rest).length > 0 && { Status: rest }),
    ...(conditions.length > 0 && {
      Conditions: conditions.map(({ type, status: is, reason, message }) => ({
        [type]: `${is}, ${reason}: ${message}`,
      })),
    }),
  }
  return stringify(facts, { lineWidth: 0 })
}

/** Where a node stored its artifact, or why it did not. */
export function artifactLines({
  artifact,
}: NonNullable<OtherApiStatus['files']>[number]): string[] {
  return [
    ...(artifact?.files ?? []).map(({ path }) => path),
    ...(artifact?.error === undefined ? [] : [artifact.error]),
  ]
}

export function conditionOf(
  status: OtherApiStatus | undefined,
  type: string,
): Condition | undefined {
  return status?.conditions?.find(each => each.type === type)
}
