// `selcap agent`: captures on one node of a cluster. Parses options and runs the agent until a
// signal stops it.
import { hostname } from 'node:os'
import { Command } from 'commander'
import type { AgentOptions } from '../agent/run.ts'
import { captureGroups, systemNamespace } from '../model/wellKnown.ts'
import { apisOption } from './servedApis.ts'

export function agentCommand(): Command {
  const { NODE_NAME, CAPTURE_API_GROUP, POD_NAMESPACE } = process.env
  return new Command('agent')
    .description('capture on this node of a Kubernetes cluster; runs as the DaemonSet selcap-agent')
    .option(
      '--node <name>',
      'the name of this node; default: $NODE_NAME, else the host name',
      NODE_NAME ?? hostname(),
    )
    .option('--captures <dir>', 'where capture files go; overrides captureDir of the configuration')
    .option(
      '--config <file>',
      'node configuration in YAML, by the names of FelixConfiguration; reloaded when it changes',
    )
    .option(
      '--settings <dir>',
      'a directory with a file for each variable of the environment, as a ConfigMap is mounted; reloaded too',
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
    .option(
      '--driver <name>',
      'how packets are captured: ring (Linux) or libpcap (portable)',
      'ring',
    )
    .option(
      '--metrics-host <address>',
      'where /metrics, /healthz and /readyz are served',
      '127.0.0.1',
    )
    .option(
      '--metrics-port <port>',
      'the port there; 0 takes a free one; default: metricsPort of the configuration',
    )
    .option(
      '--agent-port <port>',
      'where the gateway gets files, on all addresses; 0 takes a free one; default: agentPort of the configuration',
    )
    .addHelpText(
      'after',
      `
Needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_SYS_ADMIN, and /var/run/netns of the node.

Example, outside of a cluster:
  selcap agent --node node-1 --kubeconfig ~/.kube/config --captures ./captures`,
    )
    .action(async (options: AgentOptions) => (await import('../agent/run.ts')).runAgent(options))
}
