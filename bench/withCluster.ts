// A simulated cluster for a bench. It and everything registered in `scope` is removed at the end,
// also after a failure.
import { SimulatedCluster } from '../test/support/kube/simulated.ts'
import type { Scope } from '../test/support/net/namespace.ts'

export async function withCluster(
  main: (cluster: SimulatedCluster, scope: Scope) => Promise<void>,
): Promise<void> {
  const cleanUps: (() => unknown)[] = []
  const scope: Scope = { teardown: cleanUp => void cleanUps.push(cleanUp) }
  try {
    await main(await SimulatedCluster.start(scope), scope)
  } finally {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp()
  }
}
