// An agent whose port is taken when it starts: the capture says so, and once the port is free its
// files can be had, without a restart.
import { join } from 'node:path'
import { startChild } from '../../../support/kube/child.ts'
import { addGateway, makeStage, untilState } from '../../../support/kube/pluginFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'

const { cluster, clusterTest } = useSimulated()
const port = '19870'
const listenThere = `require('net').createServer().listen(${port}, '::', () => console.log('taken'))`

clusterTest(
  'an agent listens on its port once that is free, and the capture tells of it',
  async t => {
    const stage = await makeStage(cluster())
    await addGateway(cluster())
    const [node] = stage.nodes
    if (!node) throw new Error('Cannot test: the stage has no node')
    await node.stopAgent()
    const command = [
      'nsenter',
      `--net=${node.namespace.path}`,
      ...['setpriv', '--pdeathsig', 'KILL', '--', process.execPath, '-e', listenThere],
    ]
    await using taker = startChild('taker', command, {
      logFile: join(cluster().directory, 'taker.log'),
    })
    await taker.ready(() => Promise.resolve(taker.tail().includes('taken')))
    await node.startAgent(['--agent-port', port])
    t.is((await stage.pcap('create', 'port', '-l', 'app == "web"', '--protocol', 'UDP')).code, 0)
    const degraded = async (reason: string) => {
      const capture = await untilState(
        stage,
        'port',
        ({ status: now }) =>
          now?.endpoints === 2 &&
          now.conditions.some(each => each.type === 'Degraded' && each.reason === reason),
      )
      return capture.status?.conditions.find(({ type }) => type === 'Degraded')
    }
    const told = await degraded('PortTaken')
    t.regex(told?.message ?? '', new RegExp(`^node-1: .* cannot listen on port ${port}: `))
    await taker.stop()
    await degraded('AsExpected')
    for (const pod of stage.pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 5 })
    await untilState(stage, 'port', ({ status }) => status?.packets === 10)
    const to = join(cluster().directory, 'files')
    const { code, err } = await stage.pcap('download', 'port', '--dest', to)
    t.is(code, 0, err)
  },
)
