// Each name and port of src/model/wellKnown.ts is written there and in no other source.
import test from 'ava'
import * as wellKnown from '../../src/model/wellKnown.ts'
import { read } from '../support/repository.ts'
import { under } from './tree.ts'

const sources = under('src').filter(
  file => file.endsWith('.ts') && file !== 'src/model/wellKnown.ts',
)
const values = Object.values(wellKnown).flatMap(value =>
  typeof value === 'object' ? Object.values(value) : [value],
)
const names = values.filter(value => typeof value === 'string')
const numbers = values.filter(value => typeof value === 'number')

function writtenAs(pattern: RegExp): string[] {
  return sources.filter(file => pattern.test(read(file)))
}

for (const name of names) {
  test(`"${name}" is written once`, t => {
    t.deepEqual(
      writtenAs(new RegExp(`['"\`]${name.replaceAll('.', '\\.')}['"\`]`)),
      [],
      'take it from src/model/wellKnown.ts',
    )
  })
}

for (const port of numbers) {
  test(`port ${port} is written once`, t => {
    const grouped = `${Math.floor(port / 1_000)}_?${String(port % 1_000).padStart(3, '0')}`
    t.deepEqual(
      writtenAs(new RegExp(`(?<![\\d_])${grouped}(?![\\d_])`)),
      [],
      'take it from src/model/wellKnown.ts',
    )
  })
}
