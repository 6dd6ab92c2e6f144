// What Prometheus gets of a node's engine, of a given state.
import test from 'ava'
import { engineMetrics } from '../../../src/engine/metrics.ts'
import type { ActualCapture } from '../../../src/model/actualState.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import { samplesIn } from '../../support/metricSamples.ts'

function actual(
  ...rows: readonly (readonly [packets: number, bytes: number, dropped: number, refused: number])[]
): ActualCapture {
  const endpoints = rows.map(
    ([packets, bytes, dropped, refused], index) =>
      [`p${index}`, { packets, bytes, dropped, refused }] as const,
  )
  return { endpoints: new Map(endpoints) } as unknown as ActualCapture
}

test('engineMetrics() has the sums of each capture and the state of the node, as they are at each scrape', async t => {
  const state = {
    captures: new Map([
      ['shop/web', actual([1, 100, 2, 0], [2, 200, 0, 5])],
      ['shop/api', actual()],
    ]),
    states: new Map([
      ['shop/web', 'Capturing'],
      ['shop/api', 'WaitingForTraffic'],
      ['shop/bad', 'Error'],
      ['shop/old', 'Error'],
    ]),
    openTaps: 2,
    ringBytes: 4_096,
    buffer: { bytes: 100, highWaterBytes: 200, oldestMs: 2_500 },
    diskUsedBytes: 300,
    diskFreePercent: 61.5,
  }
  const { registry, observeTurn } = engineMetrics(
    () => state,
    () => defaultSettings,
  )
  observeTurn(0.01)
  await registry.metrics()
  t.like(Object.fromEntries(samplesIn(await registry.metrics())), {
    selcap_buffer_bytes: 100,
    selcap_buffer_high_water_bytes: 200,
    selcap_buffer_wait_seconds: 2.5,
    'selcap_packets_total{namespace="shop",capture="web"}': 3,
    'selcap_bytes_total{namespace="shop",capture="web"}': 300,
    'selcap_packets_dropped_total{namespace="shop",capture="web"}': 2,
    'selcap_packets_refused_total{namespace="shop",capture="web"}': 5,
    'selcap_packets_total{namespace="shop",capture="api"}': 0,
    selcap_taps_open: 2,
    selcap_ring_bytes: 4_096,
    selcap_disk_used_bytes: 300,
    selcap_disk_free_percent: 61.5,
    selcap_ring_limit_bytes: defaultSettings.captureRingBytesMax,
    selcap_buffer_limit_bytes: defaultSettings.captureBufferBytesMax,
    selcap_disk_limit_bytes: defaultSettings.captureDiskBytesMax,
    selcap_disk_free_min_percent: defaultSettings.captureDiskFreePercentMin,
    'selcap_captures{state="Capturing"}': 1,
    'selcap_captures{state="WaitingForTraffic"}': 1,
    'selcap_captures{state="Error"}': 2,
    'selcap_captures{state="Finished"}': 0,
    'selcap_turn_seconds_bucket{le="0.005"}': 0,
    'selcap_turn_seconds_bucket{le="0.02"}': 1,
    selcap_turn_seconds_count: 1,
  })
})

test('engineMetrics() has no series of a capture that is gone', async t => {
  const captures = new Map([['shop/web', actual([1, 1, 0, 0])]])
  const { registry } = engineMetrics(
    () => ({
      captures,
      states: new Map(),
      openTaps: 0,
      ringBytes: 0,
      buffer: { bytes: 100, highWaterBytes: 200, oldestMs: 2_500 },
      diskUsedBytes: 0,
      diskFreePercent: 9,
    }),
    () => defaultSettings,
  )
  t.regex(await registry.metrics(), /capture="web"/)
  captures.clear()
  t.notRegex(await registry.metrics(), /capture="web"/)
})
