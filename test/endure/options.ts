// The options of `npm run endure`. In: arguments. Out: what they mean; refuses what it does not know.
import { parseArgs } from 'node:util'
import { faults as allFaults } from './faults/all.ts'
import type { TargetName } from './target.ts'

export type EndureOptions = {
  readonly minutes: number
  readonly seed: number
  readonly targets: readonly TargetName[]
  readonly faults: readonly string[] // none: all
  readonly isPlanted: boolean
}

export function readOptions(args: readonly string[]): EndureOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      only: { type: 'string' },
      faults: { type: 'string', default: '' },
      plant: { type: 'boolean', default: false },
    },
  })
  const { minutes, seed, only, faults, plant } = values
  const targets: readonly TargetName[] =
    only === undefined ? ['agent', 'standalone'] : [targetOf(only)]
  const chosen = faults.split(',').filter(name => name !== '')
  const unknown = chosen.filter(name => !allFaults.some(fault => fault.name === name))
  if (unknown.length > 0)
    throw new Error(
      `Cannot use --faults "${unknown.join(',')}": expected some of ${allFaults.map(({ name }) => name).join(',')}`,
    )
  return {
    minutes: positive('--minutes', minutes),
    seed: positive('--seed', seed),
    targets,
    faults: chosen,
    isPlanted: plant,
  }
}

function targetOf(word: string): TargetName {
  if (word === 'standalone' || word === 'agent') return word
  throw new Error(`Cannot use --only "${word}": expected standalone or agent`)
}

function positive(option: string, text: string): number {
  const number = Number(text)
  if (number >= 0 && text !== '') return number
  throw new Error(`Cannot use ${option} "${text}": expected a number`)
}
