// `create --api retina`: builds a Capture of retina.sh from the flags of `create`, and waits for
// it. Refuses a flag that a Capture has no field for. Reports an invalid value before sending,
// with the message of the agent.
import { setTimeout as after } from 'node:timers/promises'
import { filtersExpression } from '../../api/packetcapture/filters.ts'
import { allOf } from '../../api/retina/filters.ts'
import { parseRetinaCapture } from '../../api/retina/spec.ts'
import { CommandFailure } from '../../model/errors.ts'
import { defaultSettings } from '../../model/settings.ts'
import type { OtherCapture } from '../../model/world.ts'
import type { Session } from '../client/session.ts'
import { getCapture, type WaitGoal } from '../client/wait.ts'
import { conditionOf, type OtherApiRow } from '../format/otherApis.ts'
import type { RetinaOptions } from '../option/retina.ts'
import { filtersOf, type SpecOptions } from '../option/spec.ts'
import type { TargetSelector } from '../option/targets.ts'

const unsetOptions = [
  'selector',
  'deployment',
  'service',
  'from',
  'until',
  'limitPackets',
  'rotateAfter',
  'payload',
  'format',
  'vantage',
  'cron',
  'window',
  'timeZone',
  'ttl',
] as const

export function retinaDocument(
  { namespace }: Pick<Session, 'namespace'>,
  name: string,
  options: RetinaOptions & SpecOptions & TargetSelector,
): object {
  const other = unsetOptions.find(option => options[option] !== undefined)
  if (other !== undefined)
    throw new CommandFailure(
      'usage',
      `Cannot use --${other.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)} with --api retina`,
    )
  const { nodeSelectors, podSelectors, namespaceSelectors, pod, includeFilter, excludeFilter } =
    options
  const filters = givenFields({ include: includeFilter, exclude: excludeFilter })
  const target = {
    ...(nodeSelectors && { nodeSelector: labels(nodeSelectors) }),
    ...(namespaceSelectors && { namespaceSelector: labels(namespaceSelectors) }),
    ...(podSelectors && { podSelector: labels(podSelectors) }),
    ...(pod && { podNames: pod }),
  }
  const spec = {
    captureConfiguration: {
      captureTarget: Object.keys(target).length === 0 ? { podSelector: {} } : target,
      captureOption: optionOf(options),
      ...(filters && { filters }),
      ...(options.metadata === false && { includeMetadata: false }),
    },
    outputConfiguration: { hostPath: options.hostPath ?? name },
  }
  const document = {
    apiVersion: 'retina.sh/v1alpha1',
    kind: 'Capture' as const,
    metadata: { name, namespace },
    spec,
  }
  check(document)
  return document
}

function optionOf(options: RetinaOptions & SpecOptions): object {
  const seconds = options.for ?? options.limitDuration
  const rules = filtersExpression(filtersOf(options))
  const pcapFilter = allOf(rules, options.expression ?? '')
  const megabytes = (bytes: number | undefined) => bytes && Math.ceil(bytes / 1_000_000)
  return (
    givenFields({
      duration: seconds === undefined ? undefined : `${seconds}s`,
      maxCaptureSize: megabytes(options.rotateSize ?? options.limitBytes),
      fileCount: options.rotateFiles && options.rotateFiles + 1,
      packetSize: options.snapLength,
      pcapFilter: pcapFilter || undefined,
      interfaces: options.interfaces,
    }) ?? {}
  )
}

function check(
  document: Omit<OtherCapture, 'metadata'> & {
    readonly metadata: { readonly name: string; readonly namespace: string }
  },
): void {
  const metadata = { ...document.metadata, uid: '', generation: 1, creationTimestamp: '' }
  const { captureOption, ...rest } = document.spec.captureConfiguration as {
    readonly captureOption: object
  }
  // The schema's default.
  const spec = {
    ...document.spec,
    captureConfiguration: { ...rest, captureOption: { maxCaptureSize: 100, ...captureOption } },
  }
  const intent = parseRetinaCapture(
    { ...document, spec, metadata },
    { settings: defaultSettings, nodeLabels: {}, namespaceLabels: new Map() },
  )
  if (!intent.ok) throw new CommandFailure('usage', `Cannot capture: ${intent.message}`)
}

function labels(list: readonly string[]): object {
  const pairs = list.map(text => {
    const [, name, value] = /^([^=]+)==?(.*)$/.exec(text) ?? []
    if (name === undefined)
      throw new CommandFailure('usage', `Cannot read label "${text}": expected name=value`)
    return [name, value] as const
  })
  return { matchLabels: Object.fromEntries(pairs) }
}

function givenFields(fields: Readonly<Record<string, unknown>>): object | undefined {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

const pollIntervalMs = 500

/** Started: a node captures. Finished: every node has written its archive. */
export async function waitForRetina(
  session: Session,
  name: string,
  goal: WaitGoal,
  withinSeconds: number,
): Promise<string> {
  const endMs = performance.now() + withinSeconds * 1_000
  for (;;) {
    const { status } = (await getCapture(session, name)) as object as OtherApiRow
    const error = conditionOf(status, 'error')
    if (error?.status === 'True')
      throw new CommandFailure('captureError', `Cannot capture "${name}": ${error.message}`)
    const complete = conditionOf(status, 'complete')
    const isThere =
      goal === 'finished'
        ? complete?.status === 'True'
        : goal === 'capturing'
          ? hasPackets(status)
          : complete !== undefined
    if (isThere || complete?.status === 'True') return complete?.message ?? ''
    if (performance.now() > endMs)
      throw new CommandFailure(
        'timeout',
        `Cannot wait any longer for "${name}": after ${withinSeconds} s expected ${goal}, ${complete?.message ?? 'no node has told of it'}`,
      )
    await after(pollIntervalMs)
  }
}

function hasPackets(status: OtherApiRow['status']): boolean {
  return (status?.files ?? []).some(
    ({ state }) => state !== 'WaitingForTraffic' && state !== 'Scheduled',
  )
}
