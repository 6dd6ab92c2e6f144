import test from 'ava'
import { readGoDuration } from '../../../../src/api/retina/duration.ts'
import { casesOf } from '../../../support/model/retinaCases.ts'

const rows: readonly (readonly [string, number])[] = [
  ['30s', 30_000],
  ['1m', 60_000],
  ['1h30m', 5_400_000],
  ['1.5s', 1_500],
  ['500ms', 500], // Retina: no limit at all
  ['1ns', 1],
  ['10us', 1],
  ['10µs', 1],
  ['1.0001s', 1_001],
  ['0.1s0.2s', 300],
  ['1s1s', 2_000],
]
for (const [text, ms] of rows)
  test(`readGoDuration() reads ${text} as ${ms} ms`, t => t.is(readGoDuration(text), ms))

for (const text of ['0s', '0ms', '0h0m', '-1s', '1', '', '1d', 's', '999999999h']) {
  test(`readGoDuration() refuses ${JSON.stringify(text)}`, t => {
    t.throws(() => readGoDuration(text), {
      instanceOf: RangeError,
      message: /expected a duration above zero/,
    })
  })
}

type Case = { readonly value: string; readonly seconds?: number; readonly error?: boolean }
for (const { value, seconds, error } of casesOf<Case>('durationEnv').filter(
  row => row.value !== '',
)) {
  test(`durationEnv: ${value} is ${error ? 'refused' : `${seconds} s`}`, t => {
    if (error) t.throws(() => readGoDuration(value))
    else t.is(readGoDuration(value), (seconds ?? 0) * 1_000)
  })
}
