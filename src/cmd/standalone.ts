// `selcap standalone`: captures on one machine by a directory of manifests, without Kubernetes.
// Parses options and runs the program until a signal stops it.
import { hostname } from 'node:os'
import { Command } from 'commander'
import type { StandaloneOptions } from '../agent/standalone.ts'

export function standaloneCommand(): Command {
  return new Command('standalone')
    .description('capture on this machine, driven by a directory of manifests')
    .requiredOption(
      '--manifests <dir>',
      'PacketCapture and WorkloadEndpoint documents (*.yaml, *.yml, *.json); changes are picked up by themselves',
    )
    .requiredOption(
      '--status <dir>',
      'where the state of each capture is written, as {namespace}/{name}.yaml',
    )
    .option('--captures <dir>', 'where capture files go; overrides captureDir of the configuration')
    .option('--node <name>', 'the name of this node', hostname())
    .option(
      '--config <file>',
      'node configuration in YAML, by the names of FelixConfiguration; reloaded when it changes',
    )
    .option(
      '--driver <name>',
      'how packets are captured: ring (Linux) or libpcap (portable)',
      'ring',
    )
    .option(
      '--metrics-port <port>',
      'port on loopback for /metrics and /healthz; 0 takes a free one; default: metricsPort of the configuration',
    )
    .addHelpText(
      'after',
      `
Needs CAP_NET_RAW (and CAP_NET_ADMIN, CAP_SYS_ADMIN for captures inside other network namespaces).

Example:
  selcap standalone --manifests ./manifests --captures ./captures --status ./status
  selcap get packetcaptures -A --status ./status`,
    )
    .action(async (options: StandaloneOptions) =>
      (await import('../agent/standalone.ts')).runStandalone(options),
    )
}
