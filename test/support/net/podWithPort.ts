// A pod that can send datagrams to a port of this namespace on which somebody listens, so that
// nothing answers.
import type { Scope } from './namespace.ts'
import { makePod, type Pod } from './pod.ts'
import { makeSender, type Sender } from './sender.ts'

export async function podWithPort(
  scope: Scope,
): Promise<{ readonly pod: Pod; readonly sender: Sender; readonly port: number }> {
  const pod = await makePod(scope)
  const [sender, here] = await Promise.all([makeSender(scope, pod.namespace), makeSender(scope)])
  return { pod, sender, port: await here.listenUdp(pod.hostAddress) }
}
