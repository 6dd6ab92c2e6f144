// One real node for a test file: started before its first test, taken away after its last, whatever
// happens. Where there cannot be one (it takes root on the machine itself: cgroups, overlay mounts)
// the tests are skipped, by name.
//   const { node, nodeTest } = useNode()
//   nodeTest('… does X when Y', async t => { await node().kubectl('get', 'pods') })       one after another
import test, { type ExecutionContext } from 'ava'
import { networkRefusal } from '../../net/privilege.ts'
import { type Node, startNode } from './node.ts'

export type NodeTest = (
  title: string,
  implementation: (t: ExecutionContext) => Promise<void>,
) => void

/** Why there cannot be a node here; undefined if there can. */
export const nodeRefusal =
  process.getuid?.() === 0 ? networkRefusal : 'needs root on the machine itself'

export function useNode(): { readonly node: () => Node; readonly nodeTest: NodeTest } {
  if (nodeRefusal !== undefined)
    return {
      node: missing,
      nodeTest: (title, implementation) =>
        test.skip(`${title} (needs a node: ${nodeRefusal})`, implementation),
    }
  const started: Node[] = []
  test.before(async () => {
    started.push(await startNode())
  })
  test.after.always(async () => {
    for (const node of started) await node.stop()
  })
  return {
    node: () => started[0] ?? missing(),
    nodeTest: (title, implementation) => test.serial(title, implementation),
  }
}

function missing(): never {
  throw new Error(`Cannot test: no node was started${nodeRefusal ? `: ${nodeRefusal}` : ''}`)
}
