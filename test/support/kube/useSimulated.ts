// One simulated cluster for a test file: started before its first test, gone after its last. Its
// tests run one after another.
//   const { cluster, clusterTest } = useSimulated()
//   clusterTest('… does X when Y', async t => { const node = await cluster().addNode('node-1') })
import test, { type ExecutionContext } from 'ava'
import { networkRefusal } from '../net/privilege.ts'
import { SimulatedCluster } from './simulated.ts'

type ClusterTest = (title: string, implementation: (t: ExecutionContext) => Promise<void>) => void

export function useSimulated(): {
  readonly cluster: () => SimulatedCluster
  readonly clusterTest: ClusterTest
} {
  if (networkRefusal !== undefined) {
    return {
      cluster: missing,
      clusterTest: (title, body) =>
        test.skip(`${title} (needs a network: ${networkRefusal})`, body),
    }
  }
  const cleanUps: (() => unknown)[] = []
  let started: SimulatedCluster | undefined
  test.before(async () => {
    started = await SimulatedCluster.start({ teardown: cleanUp => void cleanUps.push(cleanUp) })
  })
  test.after.always(async () => {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp()
  })
  return {
    cluster: () => started ?? missing(),
    clusterTest: (title, body) => test.serial(title, body),
  }
}

function missing(): never {
  throw new Error('Cannot test: no simulated cluster was started')
}
