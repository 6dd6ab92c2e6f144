// Captures that users edit, delete and make anew, and manifests that are broken.
import { setTimeout as after } from 'node:timers/promises'
import { both, type Fault, harmless } from '../fault.ts'
import type { Stage, TrackedCapture } from '../stage.ts'
import type { CaptureSpec } from '../target.ts'

/** On a machine with too much to do the ring of a tap that opens may be full before it is read. */
const edit = { on: both, mayGap: true, mayDrop: true } as const

/** All of these match every packet that is sent. */
const filters: readonly CaptureSpec[] = [
  { filters: [{ protocol: 'UDP', ports: [4000] }] },
  { filters: [{ protocol: 'UDP' }] },
  { filters: [{ protocol: 'UDP', ports: ['3000:5000'] }] },
  { filters: [{ protocol: 'UDP' }], expression: 'port 4000' },
]

async function edited(stage: Stage, capture: TrackedCapture, change: CaptureSpec): Promise<void> {
  await stage.target.apply(capture.name, { ...capture.spec, ...change })
}

export const filterEdits: Fault = {
  ...edit,
  name: 'filterEdits',
  async cause(stage) {
    const capture = stage.random.pick(stage.captures)
    const times = stage.random.between(1, 5)
    for (let turn = 0; turn < times; turn++) {
      await edited(stage, capture, stage.random.pick(filters))
      await after(stage.random.between(0, 600))
    }
    await edited(stage, capture, {})
    return `${times} edits of the filter of ${capture.name}`
  },
}

export const selectorEdits: Fault = {
  ...edit,
  name: 'selectorEdits',
  async cause(stage) {
    const capture = stage.random.pick(stage.captures)
    const left = stage.random.pick(stage.wanted)
    const isOver = stage.excuse([left], [capture])
    await edited(stage, capture, { selector: `app == 'web' && on != '${left.name}'` })
    await after(stage.random.between(300, 1_500))
    await edited(stage, capture, {})
    await stage.settled()
    isOver()
    return `${capture.name} without ${left.name} for a while`
  },
}

export const windowEdits: Fault = {
  ...edit,
  name: 'windowEdits',
  async cause(stage) {
    const capture = stage.random.pick(stage.captures)
    const ms = stage.random.between(500, 1_500)
    const isOver = stage.excuse(stage.endpoints, [capture])
    await edited(stage, capture, { endTime: new Date(Date.now() + ms).toISOString() })
    await after(ms + stage.random.between(0, 1_500))
    await edited(stage, capture, {})
    await stage.settled()
    isOver()
    return `${capture.name} ended after ${ms} ms, and was opened again`
  },
}

export const madeAnew: Fault = {
  ...edit,
  name: 'madeAnew',
  async cause(stage) {
    const capture = stage.random.pick(stage.captures)
    await stage.pauseAll()
    await stage.makeAnew(capture)
    return `${capture.name} deleted and made anew`
  },
}

export const brokenBeside: Fault = {
  ...harmless,
  on: ['standalone'],
  name: 'brokenBeside',
  async cause({ target, random }) {
    const texts = ['kind: [', '&a {kind: *a}', 'kind: PacketCapture\n', '\u0000\u0001', '{{{{{{']
    const text = random.pick(texts)
    target.manifestBeside?.(text)
    await after(random.between(500, 2_000))
    target.manifestBeside?.(undefined)
    return `a broken manifest beside the others: ${JSON.stringify(text)}`
  },
}
