// `selcap gateway`: serves capture files and live streams to authorized users. Parses options and
// runs the gateway until a signal stops it.
import { Command } from 'commander'
import type { GatewayOptions } from '../gateway/run.ts'
import { captureGroups, ports, systemNamespace } from '../model/wellKnown.ts'
import { apisOption } from './servedApis.ts'

export function gatewayCommand(): Command {
  const { CAPTURE_API_GROUP, POD_NAME, POD_NAMESPACE, LOG_LEVEL } = process.env
  return new Command('gateway')
    .description(
      'hand capture files to those who may have them; runs as the Deployment selcap-gateway',
    )
    .option(
      '--kubeconfig <file>',
      "how to reach the API server; default: the pod's service account, else $KUBECONFIG",
    )
    .option(
      '--api-group <group>',
      'the group that serves PacketCapture',
      CAPTURE_API_GROUP ?? captureGroups.calico,
    )
    .addOption(apisOption())
    .option('--namespace <name>', "where selcap's own parts run", POD_NAMESPACE ?? systemNamespace)
    .option('--host <address>', 'where to listen', '0.0.0.0')
    .option('--port <port>', `the port there; 0 takes a free one; default: ${ports.gateway}`)
    .option(
      '--certificates <dir>',
      'tls.crt and tls.key of a mounted Secret, read again when they change; default: a self-signed one',
    )
    .option(
      '--pod <name>',
      'the pod this runs in, with which its tokens end; default: $POD_NAME',
      POD_NAME,
    )
    .option(
      '--log-level <level>',
      'trace, debug, info, warn, error, fatal or silent',
      LOG_LEVEL ?? 'info',
    )
    .option(
      '--metrics-host <address>',
      'where /metrics, /healthz and /readyz are served',
      '0.0.0.0',
    )
    .option(
      '--metrics-port <port>',
      `the port there; 0 takes a free one; default: ${ports.metrics}`,
    )
    .addHelpText(
      'after',
      `
Whoever asks shows a bearer token; the API server says whose it is and whether they may get (or delete) packetcaptures/files in
the capture's namespace.

Example, outside of a cluster:
  selcap gateway --kubeconfig ~/.kube/config --host 127.0.0.1`,
    )
    .action(async (options: GatewayOptions) =>
      (await import('../gateway/run.ts')).runGateway(options),
    )
}
