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

type Row = readonly [packets: number, dropped: number, refused: number, lost: number]

/** A state that holds one capture, shop/web, and what its counters say at each scrape. */
function oneCapture() {
  const captures = new Map<string, ActualCapture>()
  const { registry } = engineMetrics(
    () => ({
      captures,
      states: new Map(),
      openTaps: 0,
      ringBytes: 0,
      buffer: { bytes: 0, highWaterBytes: 0, oldestMs: 0 },
      diskUsedBytes: 0,
      diskFreePercent: 9,
    }),
    () => defaultSettings,
  )
  return {
    captures,
    registry,
    holds(uid: string, rows: Readonly<Record<string, Row>>, stateId = 's1'): void {
      const endpoints = Object.entries(rows).map(
        ([key, [packets, dropped, refused, lost]]) =>
          [key, { packets, bytes: packets * 100, dropped, refused, lost }] as const,
      )
      const capture = { uid, stateId, endpoints: new Map(endpoints) }
      captures.set('shop/web', capture as unknown as ActualCapture)
    },
    async scrape(): Promise<readonly (number | undefined)[]> {
      const samples = samplesIn(await registry.metrics())
      return ['packets', 'bytes', 'packets_dropped', 'packets_refused', 'packets_lost'].map(name =>
        samples.get(`selcap_${name}_total{namespace="shop",capture="web"}`),
      )
    },
  }
}

test('engineMetrics() has no series of a capture that is gone', async t => {
  const { captures, registry, holds } = oneCapture()
  holds('u1', { web: [1, 1, 0, 0] })
  t.regex(await registry.metrics(), /capture="web"/)
  captures.clear()
  t.notRegex(await registry.metrics(), /capture="web"/)
})

test('the counters of a capture keep what removed rows had, and grow by what the others count', async t => {
  const { holds, scrape } = oneCapture()
  holds('u1', { old: [10, 5, 4, 3], web: [1, 1, 0, 0] })
  t.deepEqual(await scrape(), [11, 1_100, 6, 4, 3])
  holds('u1', { web: [2, 1, 0, 0] })
  t.deepEqual(await scrape(), [12, 1_200, 6, 4, 3])
  t.deepEqual(await scrape(), [12, 1_200, 6, 4, 3])
  holds('u1', { next: [7, 2, 1, 0] })
  t.deepEqual(await scrape(), [19, 1_900, 8, 5, 3])
})

test('the counters of a capture do not go down for a row that counts less, or a disk that was replaced', async t => {
  const { holds, scrape } = oneCapture()
  holds('u1', { web: [10, 2, 5, 0] })
  t.deepEqual(await scrape(), [10, 1_000, 2, 5, 0])
  holds('u1', { web: [11, 2, 4, 0] })
  t.deepEqual(await scrape(), [11, 1_100, 2, 5, 0])
  holds('u1', { web: [3, 0, 2, 1] }, 's2')
  t.deepEqual(await scrape(), [14, 1_400, 2, 6, 1])
})

test('the counters of a capture begin anew with another uid, and after the capture was gone', async t => {
  const { captures, holds, scrape } = oneCapture()
  holds('u1', { web: [10, 2, 5, 0] })
  await scrape()
  holds('u2', { web: [1, 0, 0, 0] })
  t.deepEqual(await scrape(), [1, 100, 0, 0, 0])
  captures.clear()
  t.deepEqual(await scrape(), [undefined, undefined, undefined, undefined, undefined])
  holds('u2', {})
  t.deepEqual(await scrape(), [0, 0, 0, 0, 0])
})
