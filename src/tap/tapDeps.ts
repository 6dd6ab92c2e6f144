// What an open tap works with, and whom it tells.

import type { Driver, LimitGroup } from '../driver/driver.ts'
import type { CaptureFolder } from '../files/captureFolder.ts'
import type { TapSpec } from '../model/tap.ts'
import type { InterfaceMatch } from '../netdev/interfaceResolver.ts'
import type { Clock } from '../runtime/clock.ts'

export type TapDeps = {
  readonly driver: Driver
  readonly clock: Clock
  readonly folder: CaptureFolder
  readonly group: LimitGroup
  readonly node: string
  readonly find: (spec: TapSpec) => Promise<InterfaceMatch>
  readonly onChange: () => void
  readonly onMoved: () => void // to another file: what is stored must follow
  readonly onLimit: (limit: 'packets' | 'bytes') => void
  readonly onBroken: (error: Error) => void // its files cannot be kept: it is to be let go
}
