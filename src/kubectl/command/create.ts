// `create`: makes a capture. In: flags. Out: a PacketCapture or a Retina Capture in the cluster,
// or printed for a dry run. Refuses before sending what the API server or a node would refuse
// later, such as a selector that does not parse.
import { Command, Option } from 'commander'
import type { ShownCapture } from '../../api/packetcapture/printerColumns.ts'
import { parsePacketCapture } from '../../api/packetcapture/spec.ts'
import { exitHelp } from '../../cmd/exitCodes.ts'
import { CommandFailure } from '../../model/errors.ts'
import { defaultSettings } from '../../model/settings.ts'
import { pluralize } from '../../model/text.ts'
import type { PacketCapture } from '../../model/world.ts'
import { podMatchesOrReason } from '../client/podMatches.ts'
import { capturesPath, openSession, request, type Session } from '../client/session.ts'
import { messageOf, type WaitGoal, waitFor, waitGoals } from '../client/wait.ts'
import { outputOption, printObject } from '../format/printer.ts'
import { apiKindOf, withApi } from '../option/apiKind.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'
import { type GatewayClientOptions, withGateway } from '../option/gateway.ts'
import { readMore, readSeconds } from '../option/quantity.ts'
import { type RetinaOptions, withRetina } from '../option/retina.ts'
import { type SpecOptions, specOf, withSpec } from '../option/spec.ts'
import { selectorOf, type TargetSelector } from '../option/targets.ts'
import { retinaDocument, waitForRetina } from './createRetina.ts'
import { download } from './download.ts'

const waitSeconds = 60

type CreateOptions = ClusterOptions &
  SpecOptions &
  RetinaOptions &
  TargetSelector & {
    readonly dryRun?: 'none' | 'client' | 'server'
    readonly output?: 'yaml' | 'json' | 'name'
    readonly wait?: WaitGoal | true
    readonly timeout?: number
    readonly download?: string | true
  } & GatewayClientOptions

export function createCommand(): Command {
  const command = new Command('create')
    .description('create a capture')
    .argument('<new-name>', 'the name of the capture')
    .option(
      '--pod <names>',
      'these pods, by labels that no other pod has; may be given again',
      readMore,
    )
    .option('--deployment <names>', 'the pods of these deployments; may be given again', readMore)
    .option('--service <names>', 'the pods behind these services; may be given again', readMore)
    .option('--with-replicas', 'with --pod: other pods with the same labels as well')
  return withApi(withGateway(withCluster(withRetina(withSpec(command)))))
    .addOption(
      new Option(
        '--dry-run [where]',
        'show what would be created: client, or as the server would take it',
      )
        .choices(['none', 'client', 'server'])
        .preset('client'),
    )
    .addOption(outputOption('yaml', 'json', 'name'))
    .addOption(
      new Option(
        '--wait [goal]',
        'until it is started (also: waits for its time), capturing or finished',
      ).choices(waitGoals),
    )
    .option(
      '--timeout <duration>',
      'how long --wait waits; default: 1m, and for --download as long as it takes',
      readSeconds,
    )
    .option(
      '--download [dir]',
      'wait for its end, then fetch its files; default: a directory of its name',
    )
    .addHelpText(
      'after',
      `${exitHelp}

Several of --pod, --deployment and --service: any of them. With --selector: that as well.

Examples:
  kubectl pcap create web --deployment web --port 80,443 --for 10m --wait
  kubectl pcap create dns --selector 'app in {"web", "api"}' --protocol UDP --port 53 --limit-packets 10000
  kubectl pcap create trace --api retina --pod-selectors app=web --exclude-filter 22 --for 1m
  kubectl pcap create night --service db --from 2026-11-21T22:00:00Z --for 30m --dry-run=client -o yaml`,
    )
    .action(create)
}

async function create(name: string, options: CreateOptions): Promise<void> {
  if (options.download && !isEnding(options))
    throw new CommandFailure(
      'usage',
      'Cannot download a capture without an end: expected --for, --until or a limit with --download',
    )
  const session = await openSession(options)
  if (session.api === 'PacketCaptureConfig')
    throw new CommandFailure(
      'usage',
      'Cannot create a PacketCaptureConfig by flags: expected kubectl apply',
    )
  const isRetina = session.api === 'Capture'
  if (!isRetina) refuseRetina(options)
  const document = isRetina
    ? retinaDocument(session, name, options)
    : await documentOf(session, name, options)
  const { output, wait, timeout, download: isFetched } = options
  const dryRun = options.dryRun === 'none' ? undefined : options.dryRun
  const created =
    dryRun === 'client' ? document : await send(session, document, dryRun === 'server')
  if (output === 'yaml' || output === 'json') process.stdout.write(printObject(created, output))
  else {
    const outcome = {
      client: ' created (dry run)',
      server: ' created (server dry run)',
      none: ' created',
    }[dryRun ?? 'none']
    process.stdout.write(
      `${apiKindOf(session, session.api, name)}${output === 'name' ? '' : outcome}\n`,
    )
  }
  if (dryRun !== 'client' && !wait && !isRetina)
    await warnOfNoPods(session, (document as PacketCapture).spec.selector) // --wait reports it
  if (dryRun) return
  const reach = async (goal: WaitGoal, seconds: number) => {
    if (isRetina)
      process.stderr.write(`${name}: ${await waitForRetina(session, name, goal, seconds)}\n`)
    else reportCreated(await waitFor(session, name, goal, seconds))
  }
  if (wait) await reach(wait === true ? 'started' : wait, timeout ?? waitSeconds)
  if (!isFetched) return
  const { endTime } = isRetina ? {} : (created as PacketCapture).spec
  const end = endTime === undefined ? 'its limit' : `its end at ${endTime}`
  const where = `${name} -n ${session.namespace}`
  process.stderr.write(
    isRetina
      ? `Waiting for its end\n`
      : `Waiting for ${end}; to fetch files at any time: kubectl pcap download ${where}\n`,
  )
  await reach('finished', timeout ?? Number.POSITIVE_INFINITY)
  const { output: _, ...rest } = options
  const fetch = {
    ...rest,
    ...(isFetched !== true && { dest: isFetched }),
    node: undefined,
    pod: undefined,
  }
  await download(name, fetch, output === undefined ? process.stdout : process.stderr)
}

function refuseRetina({
  nodeSelectors,
  podSelectors,
  namespaceSelectors,
  includeFilter,
  excludeFilter,
  interfaces,
  hostPath,
  metadata,
}: RetinaOptions): void {
  const retinaOptions = [
    nodeSelectors,
    podSelectors,
    namespaceSelectors,
    includeFilter,
    excludeFilter,
    interfaces,
    hostPath,
  ]
  if (metadata === false || retinaOptions.some(option => option !== undefined))
    throw new CommandFailure(
      'usage',
      'Cannot use the options of Retina: expected --api retina with them',
    )
}

/** Prints no warning if pods or labels may not be read; the capture is created anyway. */
async function warnOfNoPods(session: Session, selector = 'all()'): Promise<void> {
  const matches = await podMatchesOrReason(session, selector)
  if (
    'reason' in matches ||
    matches.warnings.length > 0 ||
    matches.pods.some(({ isTaken }) => isTaken)
  )
    return
  const match = matches.pods.find(({ isMatch }) => isMatch)
  const found = match
    ? `no pod that matches can be captured now: ${match.pod}: ${match.why}`
    : 'no pod matches the selector now'
  process.stderr.write(
    `Warning: in namespace "${session.namespace}" ${found}; pods that come later are captured\n`,
  )
}

// Without endpoints the reason is printed, else the counts.
function reportCreated(capture: ShownCapture): void {
  const { nodes = 0, endpoints = 0, packets = 0, state } = capture.status ?? {}
  const counts = [
    pluralize(nodes, 'node'),
    pluralize(endpoints, 'endpoint'),
    pluralize(packets, 'packet'),
  ].join(', ')
  process.stderr.write(
    `${capture.metadata.name} is ${state}: ${endpoints > 0 ? counts : messageOf(capture) || counts}\n`,
  )
}

function isEnding({
  for: seconds,
  until,
  limitDuration,
  limitPackets,
  limitBytes,
}: SpecOptions): boolean {
  return [seconds, until, limitDuration, limitPackets, limitBytes].some(end => end !== undefined)
}

async function documentOf(session: Session, name: string, options: CreateOptions): Promise<object> {
  const { group, namespace } = session
  const nowMs = session.nowMs()
  // Checked before it is combined with pods: the error's caret must point into the text that the
  // user typed.
  check(name, { ...specOf(options, options.selector, nowMs) }, session)
  const spec = specOf(options, await selectorOf(session, options), nowMs)
  check(name, spec, session)
  if (spec.endTime !== undefined && Date.parse(`${spec.endTime}`) < nowMs)
    process.stderr.write(
      `Warning: the window ended at ${spec.endTime} already: nothing will be captured\n`,
    )
  return { apiVersion: `${group}/v3`, kind: 'PacketCapture', metadata: { name, namespace }, spec }
}

function check(name: string, spec: PacketCapture['spec'], { namespace, group }: Session): void {
  const metadata = { name, namespace, uid: '', generation: 1, creationTimestamp: '' }
  const intent = parsePacketCapture(
    { apiVersion: `${group}/v3`, kind: 'PacketCapture', metadata, spec },
    defaultSettings,
  )
  if (!intent.ok) throw new CommandFailure('usage', intent.message)
}

function send(
  { kube, namespace, ...session }: Session,
  body: object,
  isDryRun: boolean,
): Promise<object> {
  return request<object>(kube, {
    path: capturesPath(session, namespace),
    method: 'POST',
    query: {
      fieldValidation: 'Strict',
      fieldManager: 'kubectl-pcap',
      ...(isDryRun && { dryRun: 'All' }),
    },
    body,
    what: 'create the capture',
  })
}
