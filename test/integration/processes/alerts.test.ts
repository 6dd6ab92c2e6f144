// A real Prometheus scrapes the real program, and its alerts fire by the rules of the component
// `monitoring`: their expressions as they are, without the waits.
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { parse } from 'yaml'
import { Prometheus } from '../../support/kube/prometheus.ts'
import { capture, Standalone } from '../../support/processes/standalone.ts'
import { read } from '../../support/repository.ts'
import { until } from '../../support/until.ts'

type Groups = readonly { readonly name: string; readonly rules: readonly object[] }[]

test('alerts fire when a capture is in error and when the agent is gone, and end when it is mended', async t => {
  const { spec } = parse(read('daemonset/components/monitoring/alerts.yaml')) as {
    readonly spec: { readonly groups: Groups }
  }
  const groups = spec.groups.map(group => ({
    ...group,
    rules: group.rules.map(rule => ({ ...rule, for: '0s' })),
  }))
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
  await using prometheus = await Prometheus.start(
    {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      scrape_configs: [agent],
    },
    { groups },
  )
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
