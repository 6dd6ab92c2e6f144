// Every fault of a campaign.
import type { Fault } from '../fault.ts'
import { frozen, full, immutable, readOnly, slow } from './disk.ts'
import { brokenBeside, filterEdits, madeAnew, selectorEdits, windowEdits } from './edits.ts'
import { cutActive, movedActive, oddEntries, removedActive, removedRotated } from './files.ts'
import { down, flapping, moved, namespaceRemade, recreated, renamed, swapped } from './links.ts'
import { ended, held, killed } from './process.ts'
import {
  apiServerKilled,
  blockedLog,
  clockSteps,
  noDescriptors,
  noInotify,
  none,
} from './surroundings.ts'

export const faults: readonly Fault[] = [
  none,
  killed,
  ended,
  held,
  frozen,
  slow,
  full,
  readOnly,
  immutable,
  down,
  flapping,
  recreated,
  renamed,
  moved,
  swapped,
  namespaceRemade,
  removedRotated,
  removedActive,
  movedActive,
  cutActive,
  oddEntries,
  filterEdits,
  selectorEdits,
  windowEdits,
  madeAnew,
  brokenBeside,
  blockedLog,
  noDescriptors,
  noInotify,
  clockSteps,
  apiServerKilled,
]
