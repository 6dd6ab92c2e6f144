// Which Events a change of a PacketCaptureConfig's status makes. Pure. In: the status before and
// now. Out: Events; each failed attempt, deleted file and node without an agent has its own.
import { agentlessMessage } from '../../core/status/agentless.ts'
import type { CaptureEvent } from '../../model/event.ts'
import { pluralize } from '../../model/text.ts'
import { deleted, type NodeFile, type PacketCaptureConfigStatus } from './status.ts'

type ConfigStatus = PacketCaptureConfigStatus

export function configEventsFor(
  before: Partial<ConfigStatus> | undefined,
  now: ConfigStatus,
): CaptureEvent[] {
  const files = Object.entries(now.captureFiles)
  const isNew = (...phases: readonly ConfigStatus['phase'][]) =>
    phases.includes(now.phase) && !phases.includes(before?.phase ?? 'Starting')
  const begun = files.filter(([, { status }]) => status === 'running' || status === 'completed')
  const started: CaptureEvent = {
    reason: 'CaptureStarted',
    type: 'Normal',
    message: `Capturing on ${pluralize(begun.length, 'node')}`,
  }
  return [
    ...(isNew('Running', 'Completed', 'Failed') && begun.length > 0 ? [started] : []),
    ...agentlessOf(before, now),
    ...files.flatMap(([address, file]) =>
      retriesOf(address, before?.captureFiles?.[address], file),
    ),
    ...(isNew('Completed')
      ? [{ reason: 'CaptureCompleted', type: 'Normal', message: now.message } as const]
      : []),
    ...(isNew('Failed')
      ? [{ reason: 'CaptureFailed', type: 'Warning', message: now.message } as const]
      : []),
    ...files.flatMap(([address, file]) =>
      deletionOf(address, before?.captureFiles?.[address], file),
    ),
  ]
}

function agentlessOf(
  { withoutAgent: known = [] }: Partial<ConfigStatus> = {},
  { withoutAgent = [] }: ConfigStatus,
): CaptureEvent[] {
  return withoutAgent
    .filter(({ node }) => !known.some(each => each.node === node))
    .map(each => ({
      reason: 'NoAgent',
      type: 'Warning',
      message: `${each.node}: ${agentlessMessage(each)}`,
      mark: each.node,
    }))
}

function retriesOf(
  address: string,
  before: NodeFile | undefined,
  { attempts = 0, status }: NodeFile,
): CaptureEvent[] {
  const known = before?.attempts ?? 0
  const last = status === 'failed' ? attempts - 1 : attempts // no attempt follows the last one
  return Array.from({ length: Math.max(0, last - known) }, (_, index): CaptureEvent => {
    const attempt = known + index + 1
    const message = `Attempt ${attempt} failed on ${address}, and is made again`
    return { reason: 'CaptureRetrying', type: 'Warning', message, mark: `${address} ${attempt}` }
  })
}

function deletionOf(
  address: string,
  before: NodeFile | undefined,
  { output_file }: NodeFile,
): CaptureEvent[] {
  if (
    output_file !== deleted ||
    before === undefined ||
    before.output_file === deleted ||
    before.output_file === ''
  )
    return []
  const message = `File ${before.output_file} was deleted on ${address}`
  return [
    { reason: 'FileDeleted', type: 'Normal', message, mark: `${address} ${before.output_file}` },
  ]
}
