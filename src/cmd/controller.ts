// `selcap controller`: merges the nodes' reports into each capture's status. Parses options and
// runs the controller until a signal stops it.
import { Command } from 'commander'
import type { ControllerOptions } from '../controller/run.ts'
import { captureGroups, ports, systemNamespace } from '../model/wellKnown.ts'
import { apisOption } from './servedApis.ts'

export function controllerCommand(): Command {
  const { CLAIM_IMAGE, POD_NAME, POD_NAMESPACE, CAPTURE_API_GROUP, LOG_LEVEL } = process.env
  return new Command('controller')
    .description(
      "fold the nodes' reports into the status of each capture; runs as the Deployment selcap-controller",
    )
    .option(
      '--kubeconfig <file>',
      "how to reach the API server; default: the pod's service account, else $KUBECONFIG",
    )
    .option(
      '--config <file>',
      'settings in YAML: where files may be uploaded to; reloaded when it changes',
    )
    .option(
      '--api-group <group>',
      'the group that serves PacketCapture',
      CAPTURE_API_GROUP ?? captureGroups.calico,
    )
    .addOption(apisOption())
    .option(
      '--namespace <name>',
      'where the lease lies that decides which replica works',
      POD_NAMESPACE ?? systemNamespace,
    )
    .option(
      '--pod <name>',
      'the pod this runs in: its tokens for the agents end with it; default: $POD_NAME',
      POD_NAME,
    )
    .option(
      '--claim-image <image>',
      'selcap for pods that write into claims; default: $CLAIM_IMAGE, else no claim is written to',
      CLAIM_IMAGE,
    )
    .option(
      '--log-level <level>',
      'trace, debug, info, warn, error, fatal or silent',
      LOG_LEVEL ?? 'info',
    )
    .option(
      '--settings <dir>',
      'a directory with a file LOG_LEVEL, as a ConfigMap is mounted; reloaded when it changes',
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
Several may run: one works, the others wait for its lease.

Example, outside of a cluster:
  selcap controller --kubeconfig ~/.kube/config --metrics-host 127.0.0.1`,
    )
    .action(async (options: ControllerOptions) =>
      (await import('../controller/run.ts')).runController(options),
    )
}
