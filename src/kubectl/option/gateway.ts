// The options of every command that asks the gateway: where it is, the way to it, and who asks.
// client/gateway.ts connects by them.
import { type Command, Option } from 'commander'
import { systemNamespace } from '../../model/wellKnown.ts'

export type GatewayClientOptions = {
  readonly gatewayNamespace: string
  readonly via?: 'proxy' | 'port-forward'
  readonly gateway?: string
  readonly gatewayCa?: string
  readonly serviceAccount?: string
}

export function withGateway(command: Command): Command {
  return command
    .option('--gateway-namespace <namespace>', 'where selcap is installed', systemNamespace)
    .addOption(
      new Option('--via <way>', 'how the gateway is reached; default: what works').choices([
        'proxy',
        'port-forward',
      ]),
    )
    .option('--gateway <url>', 'the address of the gateway, where it has one of its own')
    .option('--gateway-ca <file>', 'who signed its certificate, with --gateway')
    .option(
      '--service-account <name>',
      "ask with a short token of this account of the capture's namespace, if the kubeconfig has no token",
    )
}
