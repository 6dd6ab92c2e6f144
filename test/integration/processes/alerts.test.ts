// A real Prometheus scrapes the real program, or a gateway's figures, and its alerts fire by the
// rules of the component `monitoring`: their expressions as they are, without the waits.
import type { AddressInfo } from 'node:net'
import test from 'ava'
import fastify from 'fastify'
import { parse } from 'yaml'
import { GatewayMetrics } from '../../../src/gateway/metrics.ts'
import { serveMetrics } from '../../../src/runtime/metrics.ts'
import { Prometheus } from '../../support/kube/prometheus.ts'
import { capture, Standalone } from '../../support/processes/standalone.ts'
import { read } from '../../support/repository.ts'
import { until } from '../../support/until.ts'

type Groups = readonly { readonly name: string; readonly rules: readonly object[] }[]

const { spec } = parse(read('daemonset/components/monitoring/alerts.yaml')) as {
  readonly spec: { readonly groups: Groups }
}
const groups = spec.groups.map(group => ({
  ...group,
  rules: group.rules.map(rule => ({ ...rule, for: '0s' })),
}))
const global = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' }

test('alerts fire when a capture is in error and when the agent is gone, and end when it is mended', async t => {
  const app = new Standalone(t)
  app.write('bad.yaml', capture({ selector: '(' }, 'bad'))
  await app.start()
  await app.reaches('Error', 'bad')
  const { address } = app.log
    .map(line => JSON.parse(line))
    .find(({ msg }) => msg === 'metrics served') as { readonly address: AddressInfo }
  const agent = {
    job_name: 'selcap-agent',
    static_configs: [
      { targets: [`127.0.0.1:${address.port}`], labels: { node: 'n1', pod: 'selcap-agent-a' } },
    ],
  }
  await using prometheus = await Prometheus.start({ global, scrape_configs: [agent] }, { groups })
  const tails = [prometheus.child]
  await until(
    'the alert on the capture',
    async () => (await prometheus.firing()).get('SelcapCapturesFailing')?.node === 'n1',
    { tails },
  )
  const names = [...(await prometheus.firing()).keys()]
  for (const absent of ['SelcapControllerAbsent', 'SelcapGatewayAbsent'])
    t.true(names.includes(absent))
  for (const well of ['SelcapAgentDown', 'SelcapDiskStalled', 'SelcapBufferNearlyFull'])
    t.false(names.includes(well))

  app.write('bad.yaml', capture({ selector: 'all()' }, 'bad'))
  await until(
    'the alert to end',
    async () => !(await prometheus.firing()).has('SelcapCapturesFailing'),
    { tails },
  )
  await app.stop()
  await until(
    'the alert on the agent',
    async () => (await prometheus.firing()).get('SelcapAgentDown')?.node === 'n1',
    { tails },
  )
})

test('alerts fire for the first answer of a gateway that is an error, and the first failure of an agent', async t => {
  const metrics = new GatewayMetrics()
  const server = await serveMetrics(metrics.registry, { port: 0 })
  t.teardown(() => server.close())
  const app = fastify()
  metrics.follow(app)
  app.get('/failing', (_, reply) => reply.code(502).send('an agent did not answer'))
  app.get('/well', async () => 'well')
  const { port } = server.address() as AddressInfo
  const gateway = {
    job_name: 'selcap-gateway',
    honor_labels: true,
    static_configs: [
      { targets: [`127.0.0.1:${port}`], labels: { node: 'n1', pod: 'selcap-gateway-a' } },
    ],
  }
  await using prometheus = await Prometheus.start({ global, scrape_configs: [gateway] }, { groups })
  const tails = [prometheus.child]
  await app.inject('/well')
  await until(
    'the gateway to be scraped',
    async () => {
      const firing = await prometheus.firing()
      return firing.has('SelcapControllerAbsent') && !firing.has('SelcapGatewayAbsent')
    },
    { tails },
  )
  const before = [...(await prometheus.firing()).keys()]
  for (const well of ['SelcapGatewayErrors', 'SelcapAgentUnreachable'])
    t.false(before.includes(well))

  await app.inject('/failing')
  metrics.agentFailed('n7')
  await until(
    'both alerts',
    async () => {
      const firing = await prometheus.firing()
      return (
        firing.get('SelcapGatewayErrors')?.code === '502' && firing.has('SelcapAgentUnreachable')
      )
    },
    { tails },
  )
  t.is((await prometheus.firing()).get('SelcapAgentUnreachable')?.node, 'n7')
  await app.close()
})
