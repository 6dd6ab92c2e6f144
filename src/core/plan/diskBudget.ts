// Keeps the node's disk within captureDiskBytesMax and above captureDiskFreePercentMin. Pure. In:
// the captures with their taps and files, oldest first, and the disk's usage. Out: captures to
// halt, halts that are over, new taps to refuse, each with the numbers. A halt ends growth and
// frees nothing. It therefore comes before the budget is used up, by what open taps may write until
// the next turn. Below the free-space floor one capture is halted for each percentage point, and
// below half of the floor all of them. A halt is over when a deletion has made clear room: the
// border itself is not enough.

import type { DiskUsage, Halt } from '../../model/actualState.ts'
import type { Rotation } from '../../model/capture.ts'
import type { Refusal } from '../../model/decision.ts'
import { sum } from '../../model/numbers.ts'
import type { Settings } from '../../model/settings.ts'

/** A capture's share of the disk. */
export type DiskUser = {
  readonly key: string
  readonly generation: number
  readonly taps: number // wanted
  readonly openTaps: number // of these, open now
  readonly rows: number // endpoints that have files
  readonly fileBytes: number
  readonly rotation: Rotation
  readonly halt?: Halt // the stored halt, if it is of this generation
}

export type DiskInput = {
  readonly users: readonly DiskUser[]
  readonly disk: DiskUsage
  readonly settings: Settings
  readonly nowMs: number
}

const tapReserveBytesMax = 1024 * 1024

/** Halts to store, by capture key; undefined: the stored halt is over. */
export function changeHalts({
  users,
  disk,
  settings,
  nowMs,
}: DiskInput): Map<string, Halt | undefined> {
  const halted = users.filter(user => user.halt)
  const open = users.filter(user => !user.halt && user.openTaps > 0)
  const toHalt = open.slice(
    0,
    Math.max(haltsForFloor(disk, settings, halted), haltsForBudget(disk, settings, open)),
  )
  const refusal = pressureOf(disk, settings)
  const halts = toHalt.map(({ key, generation }): [string, Halt] => {
    const message = `Stopped by the node, the oldest capture first: ${refusal.message}`
    return [key, { generation, reason: refusal.reason, message, atMs: nowMs }]
  })
  return new Map<string, Halt | undefined>([
    ...halts,
    ...liftable({ users, disk, settings }).map((key): [string, undefined] => [key, undefined]),
  ])
}

/** Why new taps may not open now; undefined: they may. `newTaps`: their number by capture key. */
export function refuseNew(
  { users, disk, settings }: Omit<DiskInput, 'nowMs'>,
  newTaps: ReadonlyMap<string, number>,
): Refusal | undefined {
  const reserved = sum(
    users.map(user => reserveOf(user, user.openTaps + (newTaps.get(user.key) ?? 0), settings)),
  )
  const isOver = disk.usedBytes + reserved > settings.captureDiskBytesMax
  return isBelowFloor(disk, settings) || isOver ? pressureOf(disk, settings) : undefined
}

function haltsForBudget(disk: DiskUsage, settings: Settings, open: readonly DiskUser[]): number {
  const reserves = open.map(user => reserveOf(user, user.openTaps, settings))
  const enough = reserves.findIndex(
    (_, index) => disk.usedBytes + sum(reserves.slice(index)) <= settings.captureDiskBytesMax,
  )
  return enough === -1 ? open.length : enough
}

function haltsForFloor(disk: DiskUsage, settings: Settings, halted: readonly DiskUser[]): number {
  if (!isBelowFloor(disk, settings)) return 0
  const floor = settings.captureDiskFreePercentMin
  if (disk.freePercent <= floor / 2) return Number.POSITIVE_INFINITY
  return Math.max(
    0,
    Math.ceil(floor - disk.freePercent) -
      halted.filter(user => user.halt?.reason === 'DiskFloor').length,
  )
}

function liftable({ users, disk, settings }: Omit<DiskInput, 'nowMs'>): string[] {
  const floor = settings.captureDiskFreePercentMin
  if (disk.freePercent < floor + Math.min(5, (100 - floor) / 2)) return []
  const room = 0.9 * settings.captureDiskBytesMax - disk.usedBytes
  const reserves = users.map(user =>
    reserveOf(user, user.halt ? user.taps : user.openTaps, settings),
  )
  const running = sum(reserves.filter((_, index) => !users[index]?.halt))
  const halted = users
    .keys()
    .toArray()
    .filter(index => users[index]?.halt)
  const liftableIndexes = halted.filter(
    (_, nth) => running + sum(halted.slice(0, nth + 1).map(index => reserves[index] ?? 0)) <= room,
  )
  return liftableIndexes.map(index => users[index]?.key ?? '')
}

// What a capture may add to the disk until the next turn, at most what its retention keeps.
function reserveOf(
  { rotation, fileBytes, rows }: DiskUser,
  taps: number,
  settings: Settings,
): number {
  const growth = Math.max(
    0,
    Math.max(taps, rows) * (rotation.filesMax + 1) * rotation.fileBytesMax - fileBytes,
  )
  return Math.min(growth, taps * tapReserve(settings))
}

function tapReserve({ captureDiskBytesMax }: Settings): number {
  return Math.min(tapReserveBytesMax, Math.floor(captureDiskBytesMax / 20))
}

function isBelowFloor(disk: DiskUsage, settings: Settings): boolean {
  return disk.freePercent < settings.captureDiskFreePercentMin
}

function pressureOf(disk: DiskUsage, settings: Settings): Pick<Halt, 'reason' | 'message'> {
  const { captureDiskBytesMax, captureDiskFreePercentMin } = settings
  if (isBelowFloor(disk, settings)) {
    const free = Math.floor(disk.freePercent * 10) / 10
    return {
      reason: 'DiskFloor',
      message: `${free} % of the disk is free and captureDiskFreePercentMin is ${captureDiskFreePercentMin}`,
    }
  }
  return {
    reason: 'DiskBudget',
    message: `capture files take ${disk.usedBytes} bytes and captureDiskBytesMax is ${captureDiskBytesMax}`,
  }
}
