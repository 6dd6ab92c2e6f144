// Ways to go through a sequence of worlds. Whatever the way, the taps after each world are that
// world's taps.
import type { World } from '../../../src/model/world.ts'
import { noonMs, world } from './documents.ts'

export type Step<Taps> = {
  readonly name: string
  readonly world: World
  readonly nowMs: number
  readonly taps: Taps
}
export type Expander = <Taps>(steps: readonly Step<Taps>[], noTaps: Taps) => readonly Step<Taps>[]

export const expanders: Readonly<Record<string, Expander>> = {
  'as written': steps => steps,
  backwards: steps => steps.toReversed(),
  'objects shuffled': steps => steps.map(step => ({ ...step, world: shuffled(step.world) })),
  'each seen twice': steps => steps.flatMap(step => [step, step]),
  'nothing in between': (steps, noTaps) =>
    steps.flatMap(step => [
      step,
      { name: 'nothing', world: world([], []), nowMs: noonMs, taps: noTaps },
    ]),
  'only the last': steps => steps.slice(-1),
}

function shuffled({ captures, endpoints, ...rest }: World): World {
  return {
    ...rest,
    captures: captures.toReversed(),
    endpoints: [...endpoints.slice(1), ...endpoints.slice(0, 1)].toReversed(),
  }
}
