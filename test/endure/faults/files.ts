// Files that others remove, move away or cut, and entries that are none.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { run } from '../../support/net/run.ts'
import { isRotated } from '../captureFiles.ts'
import { both, type Fault, harmless } from '../fault.ts'
import type { Stage, TrackedCapture } from '../stage.ts'

const removal = { on: both, mayGap: true, mayDrop: false } as const

type Chosen = { readonly capture: TrackedCapture; readonly name: string }

function choose({ captures, random }: Stage, isActive: boolean): Chosen | undefined {
  const all = captures.flatMap(capture =>
    capture.files
      .names()
      .filter(name => isRotated(name) !== isActive)
      .map(name => ({ capture, name })),
  )
  return all.length > 0 ? random.pick(all) : undefined
}

function remove(stage: Stage, { capture, name }: Chosen): void {
  const away = awayOf(stage)
  stage.moveAway(capture, name, away)
  rmSync(away)
}

function awayOf({ target }: Stage): string {
  return join(target.captures, '.moved-away')
}

export const removedRotated: Fault = {
  ...harmless,
  name: 'removedRotated',
  async cause(stage) {
    const file = choose(stage, false)
    if (!file) return 'no rotated file to remove'
    remove(stage, file)
    return `removed ${file.name} of ${file.capture.name}`
  },
}

export const removedActive: Fault = {
  ...removal,
  name: 'removedActive',
  async cause(stage) {
    const file = choose(stage, true)
    if (!file) return 'no file to remove'
    remove(stage, file)
    await after(stage.random.between(0, 2_000))
    return `removed ${file.name} of ${file.capture.name}, which is written`
  },
}

export const movedActive: Fault = {
  ...removal,
  name: 'movedActive',
  async cause(stage) {
    const file = choose(stage, true)
    if (!file) return 'no file to move'
    const away = awayOf(stage)
    stage.moveAway(file.capture, file.name, away)
    await after(stage.random.between(0, 2_000))
    rmSync(away)
    return `moved ${file.name} of ${file.capture.name} away, which is written`
  },
}

export const cutActive: Fault = {
  ...removal,
  name: 'cutActive',
  async cause(stage) {
    const file = choose(stage, true)
    if (!file) return 'no file to cut'
    stage.cut(file.capture, file.name)
    await after(stage.random.between(0, 2_000))
    return `cut ${file.name} of ${file.capture.name} to nothing, which is written`
  },
}

export const oddEntries: Fault = {
  on: both,
  mayGap: true,
  mayDrop: true,
  name: 'oddEntries',
  async cause({ target, captures, random }) {
    const { directory } = random.pick(captures)
    const [fifo, folder] = [join(directory, 'odd.pcap'), join(directory, 'odd_folder.pcapng')]
    await run('mkfifo', [fifo])
    mkdirSync(folder)
    try {
      await target.end('SIGTERM')
      await target.start()
    } finally {
      rmSync(fifo, { force: true })
      rmSync(folder, { recursive: true, force: true })
    }
    return 'started with a pipe and a folder that are named as capture files'
  },
}
