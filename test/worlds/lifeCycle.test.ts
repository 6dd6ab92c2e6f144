// Every row of the life cycle is a sequence of worlds, gone through in every way; after each world
// the taps are compared whole.
import test from 'ava'
import type { TapSpec } from '../../src/model/tap.ts'
import type { PacketCapture, WorkloadEndpoint, World } from '../../src/model/world.ts'
import { capture, endpoint, noonMs, world } from '../support/worlds/documents.ts'
import { expanders, type Step } from '../support/worlds/expanders.ts'
import { emptyNode } from '../support/worlds/node.ts'
import { turn } from '../support/worlds/turns.ts'

type Steps = readonly Step<readonly TapSpec[]>[]

function step(name: string, now: World, taps: readonly TapSpec[], nowMs = noonMs): Steps[number] {
  return { name, world: now, nowMs, taps }
}

/** The whole spec that a capture and an endpoint lead to. */
function tap(from: PacketCapture, on: WorkloadEndpoint, change: Partial<TapSpec> = {}): TapSpec {
  const { namespace, name, uid } = from.metadata
  return {
    id: `${namespace}/${name}/${on.spec.pod}`,
    capture: { api: 'PacketCapture', namespace, name, uid },
    captureKey: `${namespace}/${name}`,
    endpoint: {
      namespace,
      name: on.spec.pod ?? '',
      uid: on.metadata.uid,
      addresses: ['10.0.0.1'],
      isInterfaceGiven: true,
    },
    interfaceName: on.spec.interfaceName,
    vantage: 'Auto',
    filter: '',
    snapLength: 262_144,
    payload: 'Full',
    format: 'pcap',
    ringBytes: 4_194_304,
    rotation: { fileBytesMax: 10_000_000, fileAgeMsMax: 3_600_000, filesMax: 2 },
    limits: {},
    window: {},
    ...change,
  }
}

const all = capture('all')
const web = capture('web', { selector: 'app == "web"' })
const web0 = endpoint('web-0', { app: 'web' })
const web1 = endpoint('web-1', { app: 'web' })
const db0 = endpoint('db-0', { app: 'db' })
const relabelled = endpoint('web-0', { app: 'old' })
const restarted = endpoint('web-0', { app: 'web' }, { uid: 'uid-second' })
const moved = endpoint('web-0', { app: 'web' }, { interfaceName: 'calisecond' })
const windowed = capture('web', {
  selector: 'app == "web"',
  startTime: '2026-06-01T12:00:00Z',
  endTime: '2026-06-01T13:00:00Z',
})
const later = capture(
  'web',
  { selector: 'app == "web"', startTime: '2026-06-01T14:00:00Z' },
  { generation: 2 },
)
const past = capture(
  'web',
  { selector: 'app == "web"', endTime: '2026-06-01T11:59:00Z' },
  { generation: 3 },
)
const wider = capture('web', { selector: 'all()' }, { generation: 2 })
const other = capture('web', { selector: 'app == "db"' }, { generation: 3 })
const filtered = capture(
  'web',
  { selector: 'app == "web"', expression: 'tcp port 80' },
  { generation: 2 },
)
const rotating = capture(
  'web',
  { selector: 'app == "web"', rotation: { maxFiles: 1 }, limits: { packets: 9, bytes: 900 } },
  { generation: 2 },
)
const broken = capture('web', { selector: 'app = "web"' }, { generation: 2 })
const again = capture('web', { selector: 'app == "web"' }, { uid: 'uid-again' })
const nightly = capture('web', {
  selector: 'app == "web"',
  schedule: { cron: '0 2 * * *', timeZone: 'Europe/Berlin', durationSeconds: 600 },
})
const here = endpoint('web-0', { app: 'web' })
const elsewhere = endpoint('web-0', { app: 'web' }, { node: 'node-1' })
const foreign = endpoint('web-9', { app: 'web' }, { namespace: 'other' })
const hostNetworked: WorkloadEndpoint = {
  ...web0,
  metadata: { ...web0.metadata, annotations: { hostNetwork: '' } },
}
const finished: WorkloadEndpoint = {
  ...web0,
  metadata: { ...web0.metadata, annotations: { finished: '' } },
}
const at = (time: string) => Date.parse(`2026-06-${time}Z`)

const noonToOne = { window: { fromMs: noonMs, untilMs: at('01T13:00:00') } }
const fromTwo = { window: { fromMs: at('01T14:00:00') } }
const night = { window: { fromMs: at('02T00:00:00'), untilMs: at('02T00:10:00') } }
const nextNight = { window: { fromMs: at('03T00:00:00'), untilMs: at('03T00:10:00') } }

const rows: Readonly<Record<string, Steps>> = {
  'pod appears, or its labels begin to match': [
    step('no pods', world([web], []), []),
    step('a pod', world([web], [web0]), [tap(web, web0)]),
    step('another', world([web], [web0, web1, db0]), [tap(web, web0), tap(web, web1)]),
    step('one has other labels', world([web], [relabelled, web1]), [tap(web, web1)]),
    step('it matches again', world([web], [web0, web1]), [tap(web, web0), tap(web, web1)]),
  ],
  'labels stop matching, pod finishes': [
    step('matching', world([web], [web0, web1]), [tap(web, web0), tap(web, web1)]),
    step('labels stop matching', world([web], [relabelled, web1]), [tap(web, web1)]),
    step('pod finished', world([web], [finished, web1]), [tap(web, web1)]),
    step('pod gone', world([web], [web1]), [tap(web, web1)]),
  ],
  'pod restarts under the same name, or its interface is re-created': [
    step('first', world([web], [web0]), [tap(web, web0)]),
    step('another uid', world([web], [restarted]), [tap(web, restarted)]),
    step('old and new at once', world([web], [finished, restarted]), [tap(web, restarted)]),
    step('another interface', world([web], [moved]), [tap(web, moved)]),
  ],
  'two captures match one endpoint': [
    step('one', world([web], [web0]), [tap(web, web0)]),
    step('both', world([web, all], [web0]), [tap(all, web0), tap(web, web0)]),
    step('the other', world([all], [web0]), [tap(all, web0)]),
  ],
  'selector or filters edited': [
    step('first', world([web], [web0, db0]), [tap(web, web0)]),
    step('wider', world([wider], [web0, db0]), [tap(wider, db0), tap(wider, web0)]),
    step('others', world([other], [web0, db0]), [tap(other, db0)]),
    step('filter', world([filtered], [web0, db0]), [
      tap(filtered, web0, { filter: 'tcp port 80' }),
    ]),
    step('rotation and limits', world([rotating], [web0]), [
      tap(rotating, web0, {
        rotation: { fileBytesMax: 10_000_000, fileAgeMsMax: 3_600_000, filesMax: 1 },
        limits: { packets: 9, bytes: 900 },
      }),
    ]),
    step('broken', world([broken, all], [web0]), [tap(all, web0)]),
  ],
  'times edited, windows pass, the clock is set': [
    step('long before', world([windowed], [web0]), [], at('01T11:59:56.999')),
    step('soon', world([windowed], [web0]), [tap(windowed, web0, noonToOne)], at('01T11:59:57')),
    step(
      'last moment before',
      world([windowed], [web0]),
      [tap(windowed, web0, noonToOne)],
      at('01T11:59:59.999'),
    ),
    step('start', world([windowed], [web0]), [tap(windowed, web0, noonToOne)]),
    step(
      'last moment',
      world([windowed], [web0]),
      [tap(windowed, web0, noonToOne)],
      at('01T12:59:59.999'),
    ),
    step('end', world([windowed], [web0]), [], at('01T13:00:00')),
    step(
      'clock set back',
      world([windowed], [web0]),
      [tap(windowed, web0, noonToOne)],
      at('01T12:30:00'),
    ),
    step(
      'clock set back to just before the start',
      world([windowed], [web0]),
      [tap(windowed, web0, noonToOne)],
      at('01T11:59:58'),
    ),
    step('clock set back further', world([windowed], [web0]), [], at('01T11:00:00')),
    step('clock set forwards', world([windowed], [web0]), [], at('30T12:00:00')),
    step('start moved to the future', world([later], [web0]), [], at('01T12:30:00')),
    step('its time comes', world([later], [web0]), [tap(later, web0, fromTwo)], at('01T13:59:59')),
    step(
      'its time has come',
      world([later], [web0]),
      [tap(later, web0, fromTwo)],
      at('01T14:00:00'),
    ),
    step('end moved to the past', world([past], [web0]), [], at('01T12:30:00')),
    step('day', world([nightly], [web0]), [], at('02T12:00:00')),
    step('nearly night', world([nightly], [web0]), [tap(nightly, web0, night)], at('01T23:59:58')),
    step('night', world([nightly], [web0]), [tap(nightly, web0, night)], at('02T00:05:00')), // 02:05 in Berlin
    step(
      'the night after',
      world([nightly], [web0]),
      [tap(nightly, web0, nextNight)],
      at('02T23:59:59'),
    ),
  ],
  'pods come and go just before the window': [
    step(
      'one is there',
      world([windowed], [web0]),
      [tap(windowed, web0, noonToOne)],
      at('01T11:59:58'),
    ),
    step(
      'another',
      world([windowed], [web0, web1]),
      [tap(windowed, web0, noonToOne), tap(windowed, web1, noonToOne)],
      at('01T11:59:59'),
    ),
    step(
      'restarted',
      world([windowed], [restarted]),
      [tap(windowed, restarted, noonToOne)],
      at('01T11:59:59.500'),
    ),
    step('gone', world([windowed], []), [], at('01T11:59:59.900')),
    step('the capture is gone', world([], [web0]), [], at('01T11:59:59.950')),
  ],
  'capture deleted, and created again under its name': [
    step('there', world([web], [web0]), [tap(web, web0)]),
    step('deleted', world([], [web0]), []),
    step('another one', world([again], [web0]), [tap(again, web0)]),
  ],
  'other nodes and namespaces': [
    step('here', world([web], [here, foreign]), [tap(web, here)]),
    step('on another node', world([web], [elsewhere, foreign]), []),
  ],
  'host-networked pods': [
    step('only these', world([web], [hostNetworked]), []),
    step('and another', world([web], [hostNetworked, web1]), [tap(web, web1)]),
  ],
}

for (const [row, steps] of Object.entries(rows)) {
  for (const [way, expand] of Object.entries(expanders)) {
    test(`decide() leads to each world's taps: ${row}, ${way}`, t => {
      expand(steps, [] as readonly TapSpec[]).reduce(
        (actual, { name, world: now, nowMs, taps }) => {
          const next = turn(now, actual, nowMs).actual
          const open = [...next.taps.values()].toSorted((a, b) => (a.spec.id < b.spec.id ? -1 : 1))
          t.deepEqual(
            open,
            taps.map(spec => ({ spec, state: 'open' as const })),
            name,
          )
          return next
        },
        emptyNode,
      )
    })
  }
}
