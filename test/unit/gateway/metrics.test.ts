// What Prometheus gets of the gateway, for requests of a server without a port.
import test from 'ava'
import fastify from 'fastify'
import { GatewayMetrics } from '../../../src/gateway/metrics.ts'
import { gatewayRefusals } from '../../../src/model/codes.ts'
import { samplesIn } from '../../support/metricSamples.ts'

const samplesOf = async (metrics: GatewayMetrics) => samplesIn(await metrics.registry.metrics())

test('GatewayMetrics counts requests by route and code, and those that have ended as running no more', async t => {
  const metrics = new GatewayMetrics()
  const app = fastify()
  metrics.follow(app)
  app.get('/v1/namespaces/:ns/:kind/:name/files', async () => 'list')
  app.get('/readyz', (_, reply) => reply.code(503).send('not yet'))
  app.get('/elsewhere', async () => 'other')
  for (const path of [
    '/v1/namespaces/shop/packetcaptures/web/files',
    '/readyz',
    '/elsewhere',
    '/missing',
  ])
    await app.inject(path)
  await app.close()
  const samples = await samplesOf(metrics)
  t.like(Object.fromEntries(samples), {
    'selcap_gateway_requests_total{route="list",code="200"}': 1,
    'selcap_gateway_requests_total{route="health",code="503"}': 1,
    'selcap_gateway_requests_total{route="other",code="200"}': 1,
    'selcap_gateway_requests_total{route="other",code="404"}': 1,
    'selcap_gateway_running{route="list"}': 0,
  })
})

test('GatewayMetrics has a zero for each refusal and each route with bytes before the first request', async t => {
  const samples = await samplesOf(new GatewayMetrics())
  for (const reason of Object.keys(gatewayRefusals))
    t.is(samples.get(`selcap_gateway_refused_total{reason="${reason}"}`), 0, reason)
  for (const route of ['file', 'zip', 'stream']) {
    t.is(samples.get(`selcap_gateway_bytes_total{route="${route}"}`), 0)
    t.is(samples.get(`selcap_gateway_broken_off_total{route="${route}"}`), 0)
  }
})

test('GatewayMetrics adds up refusals, failures and bytes, and tells each sum once at every scrape', async t => {
  const metrics = new GatewayMetrics()
  metrics.refused('Forbidden')
  metrics.refused('Forbidden')
  metrics.agentFailed('node-1')
  metrics.countSent('file', 30)
  metrics.countSent('file', 12)
  await samplesOf(metrics)
  t.like(Object.fromEntries(await samplesOf(metrics)), {
    'selcap_gateway_refused_total{reason="Forbidden"}': 2,
    'selcap_gateway_agent_failures_total{node="node-1"}': 1,
    'selcap_gateway_bytes_total{route="file"}': 42,
    'selcap_gateway_bytes_total{route="zip"}': 0,
  })
})

test('GatewayMetrics keeps what a live stream lacked after its end, and counts an end once', async t => {
  const metrics = new GatewayMetrics()
  const lost = async () =>
    (await samplesOf(metrics)).get('selcap_gateway_stream_packets_dropped_total')
  const stream = { lost: 3 }
  const end = metrics.streaming(stream)
  metrics.streaming({ lost: 4 })
  t.is(await lost(), 7)
  stream.lost = 5
  end()
  end()
  t.is(await lost(), 9)
})
