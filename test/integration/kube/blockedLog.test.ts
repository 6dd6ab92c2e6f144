// The programs of a cluster while nobody reads the socket of their log: each serves its health, and
// ends when it is told to.
import { serverAddress } from '../../support/kube/simulated.ts'
import { useSimulated } from '../../support/kube/useSimulated.ts'
import { inside } from '../../support/net/run.ts'
import { unreadSocket } from '../../support/processes/unreadSocket.ts'
import { until } from '../../support/until.ts'

const { cluster, clusterTest } = useSimulated()

const programs: Readonly<Record<string, readonly string[]>> = {
  agent: ['--node', 'node-1', '--agent-port', '0'],
  controller: [],
  gateway: ['--port', '0'],
}
for (const [program, more] of Object.entries(programs))
  clusterTest(`${program} serves and heeds SIGTERM while nobody reads its log`, async t => {
    const { directory, networkPath } = cluster()
    const config = await cluster().kubeconfigFor(`selcap-${program}`, 'a')
    const port = 9_900 + Object.keys(programs).indexOf(program)
    const args = [program, '--kubeconfig', config, ...more]
    const places = ['--metrics-host', serverAddress, '--metrics-port', String(port)]
    const captures = program === 'agent' ? ['--captures', `${directory}/captures`] : []
    const child = cluster().run(program, undefined, [...args, ...places, ...captures], {
      around: unreadSocket,
    })
    await until('its health', () => isHealthy(networkPath, port))
    await child.stop('SIGTERM', 60_000)
    t.deepEqual(child.exit, { code: 0, signal: null })
  })

async function isHealthy(networkPath: string, port: number): Promise<boolean> {
  const asked = ['-sS', '--fail', '--max-time', '5', `${serverAddress}:${port}/healthz`]
  return inside(networkPath, 'curl', asked).then(
    answer => answer === 'ok\n',
    () => false,
  )
}
