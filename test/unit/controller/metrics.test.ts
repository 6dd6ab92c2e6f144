// The controller's figures as Prometheus gets them, of given counts; those of a controller at work
// are in test/integration/kube.
import test from 'ava'
import { controllerMetrics, zeroCounters } from '../../../src/controller/metrics.ts'
import { samplesIn } from '../../support/metricSamples.ts'

test('controllerMetrics() tells every count as it is when asked, and nothing twice', async t => {
  const tally = zeroCounters()
  const state = { ...tally, isLeading: true, captures: 3, nodesReporting: 5, nodesSilent: 1 }
  const { registry, observeTurn } = controllerMetrics(() => state)
  state.folds = 9
  Object.assign(tally.statusWrites, { written: 4, stale: 2, failed: 1 })
  tally.eventWrites.failed = 6
  tally.removals.report = 8
  observeTurn(0.03)
  await registry.metrics()
  const found = Object.fromEntries(samplesIn(await registry.metrics()))
  t.like(found, {
    selcap_controller_leads: 1,
    selcap_controller_captures: 3,
    selcap_controller_nodes_reporting: 5,
    selcap_controller_nodes_silent: 1,
    selcap_controller_folds_total: 9,
    'selcap_controller_status_writes_total{result="written"}': 4,
    'selcap_controller_status_writes_total{result="stale"}': 2,
    'selcap_controller_status_writes_total{result="failed"}': 1,
    'selcap_controller_events_total{result="written"}': 0,
    'selcap_controller_events_total{result="failed"}': 6,
    'selcap_controller_removals_total{kind="capture"}': 0,
    'selcap_controller_removals_total{kind="report"}': 8,
    'selcap_controller_turn_seconds_bucket{le="0.02"}': 0,
    'selcap_controller_turn_seconds_bucket{le="0.1"}': 1,
    selcap_controller_turn_seconds_sum: 0.03,
  })
})
