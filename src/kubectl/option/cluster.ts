// The options of every command that asks the API server: kubectl's connection flags, the namespace
// and the group that serves captures. Out: the options, and the same flags for a kubectl that is
// started beside. client/session.ts connects by them.
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ConnectionFlags } from '../../kube/kubeconfig/choose.ts'
import type { Api } from '../../model/captureRef.ts'

export type ClusterOptions = ConnectionFlags & {
  readonly v?: number
  readonly apiGroup?: string
  readonly api?: Api
}

/** kubectl's global flags, with its names and meanings; kubectl hands a plugin all of them. */
export function withCluster(
  command: Command,
  namespace = "the capture's namespace; default: the context's",
): Command {
  const group = 'Cluster and user, as for kubectl:'
  const options = [
    new Option('--context <context>', 'the context of the kubeconfig to use'),
    new Option('--kubeconfig <file>', 'default: the files of $KUBECONFIG, else ~/.kube/config'),
    new Option('--cluster <cluster>', 'the cluster of the kubeconfig to use'),
    new Option('--user <user>', 'the user of the kubeconfig to use'),
    new Option('-s, --server <url>', 'the address of the API server'),
    new Option('--token <token>', 'the bearer token for the API server'),
    new Option('--as <user>', 'act as this user, or system:serviceaccount:NAMESPACE:NAME'),
    new Option('--as-group <group>', 'act as of this group; may be given again').argParser(again),
    new Option('--as-uid <uid>', 'act with this uid'),
    new Option('--as-user-extra <key=value>', 'act with this extra; may be given again').argParser(again), // biome-ignore format: a line an option
    new Option('--certificate-authority <file>', "who signed the server's certificate"),
    new Option('--client-certificate <file>', "the user's certificate"),
    new Option('--client-key <file>', 'its key'),
    new Option('--insecure-skip-tls-verify', "do not check the server's certificate"),
    new Option('--tls-server-name <name>', 'the name in its certificate, if it is another'),
    new Option('--request-timeout <duration>', 'of one request: 10s, 2m; default: as it takes'),
    new Option('-v, --v <level>', 'tell of requests: 6, with headers 7, of answers too 8').argParser(readLevel), // biome-ignore format: a line an option
  ]
  command
    .option('-n, --namespace <namespace>', namespace)
    .option(
      '--api-group <group>',
      'the group that serves PacketCapture; default: what is installed',
      process.env.CAPTURE_API_GROUP,
    )
  for (const option of options) command.addOption(option.helpGroup(group))
  return command
}

/** The same, for a kubectl that is started beside: what the user chose, it must choose too. */
export function kubectlFlags(options: ConnectionFlags): string[] {
  const { asGroup = [], asUserExtra = [], insecureSkipTlsVerify } = options
  const single = {
    context: options.context,
    kubeconfig: options.kubeconfig,
    cluster: options.cluster,
    user: options.user,
    server: options.server,
    token: options.token,
    as: options.as,
    'as-uid': options.asUid,
    'certificate-authority': options.certificateAuthority,
    'client-certificate': options.clientCertificate,
    'client-key': options.clientKey,
    'tls-server-name': options.tlsServerName,
  }
  return [
    ...Object.entries(single).flatMap(([name, value]) => value ? [`--${name}=${value}`] : []), // biome-ignore format: one line
    ...asGroup.map(group => `--as-group=${group}`),
    ...asUserExtra.map(extra => `--as-user-extra=${extra}`),
    ...(insecureSkipTlsVerify ? ['--insecure-skip-tls-verify'] : []),
  ]
}

function again(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value] // a group may have a comma in its name
}

function readLevel(text: string): number {
  if (/^\d{1,2}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a number from 0 to 10')
}
