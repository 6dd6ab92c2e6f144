// `selcap preflight`: checks whether selcap can be installed in this cluster. Exits with 1 and the
// reason if not.
import { Command } from 'commander'
import { preflightFailure } from '../controller/preflight.ts'
import { connectKube } from '../kube/connect.ts'
import { captureGroups } from '../model/wellKnown.ts'

export function preflightCommand(): Command {
  return new Command('preflight')
    .description(
      'say whether selcap can be installed in this cluster, and which overlay if not the base',
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
          const refusal = await preflightFailure(
            await connectKube(kubeconfig),
            apiGroup,
            AbortSignal.timeout(30_000),
          )
          process.stdout.write(
            refusal === undefined
              ? `Nothing else serves ${apiGroup}/v3: selcap can be installed\n`
              : '',
          )
          if (refusal === undefined) return
          process.stderr.write(`${refusal}\n`)
        } catch (error) {
          process.stderr.write(`Cannot ask the API server: ${(error as Error).message}\n`)
        }
        process.exitCode = 1
      },
    )
}
