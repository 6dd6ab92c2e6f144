// `selcap preflight`: checks whether selcap can be installed in this cluster, and whether agents
// that are installed start. Exits with 1 and the reasons if not.
import { Command } from 'commander'
import { findInstalledAgents } from '../controller/installedAgents.ts'
import { preflightFailure } from '../controller/preflight.ts'
import { connectKube } from '../kube/connect.ts'
import { pluralize } from '../model/text.ts'
import { captureGroups } from '../model/wellKnown.ts'

export function preflightCommand(): Command {
  return new Command('preflight')
    .description(
      'say whether selcap can be installed in this cluster, which overlay if not the base, and which agents do not start',
    )
    .option('--kubeconfig <file>', 'how to reach the API server; default: $KUBECONFIG')
    .option('--api-group <group>', 'the group that is to serve PacketCapture', captureGroups.calico)
    .action(
      async ({
        kubeconfig,
        apiGroup,
      }: {
        readonly kubeconfig?: string
        readonly apiGroup: string
      }) => {
        try {
          const kube = await connectKube(kubeconfig)
          const signal = AbortSignal.timeout(30_000)
          const refusal = await preflightFailure(kube, apiGroup, signal)
          const agents = await findInstalledAgents(kube, signal)
          const faults = [...(refusal === undefined ? [] : [refusal]), ...(agents?.faults ?? [])]
          for (const fault of faults) process.stderr.write(`${fault}\n`)
          if (faults.length === 0) process.stdout.write(`${verdict(apiGroup, agents?.count)}\n`)
          if (faults.length === 0) return
        } catch (error) {
          process.stderr.write(`Cannot ask the API server: ${(error as Error).message}\n`)
        }
        process.exitCode = 1
      },
    )
}

function verdict(group: string, agents = 0): string {
  const isFree = `Nothing else serves ${group}/v3`
  return agents === 0
    ? `${isFree}: selcap can be installed`
    : `${isFree}: selcap is installed, with ${pluralize(agents, 'agent')}`
}
