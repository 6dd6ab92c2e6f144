import { setImmediate as afterOthers } from 'node:timers/promises'
import test from 'ava'
import { eachAtOnce, partBytesOf } from '../../../src/store/multipart.ts'

const mebibyte = 1024 * 1024

async function* numbers(count: number): AsyncGenerator<number> {
  for (let number = 0; number < count; number++) yield number
}

test('partBytesOf() never needs more than 10,000 parts', t => {
  const partBytes = 8 * mebibyte
  t.is(partBytesOf({ bytes: 1, read: () => numbers(0) as never }, { partBytes }), partBytes)
  const bytes = 500_000 * mebibyte
  const large = partBytesOf({ bytes, read: () => numbers(0) as never }, { partBytes })
  t.true(bytes / large <= 10_000 && large % mebibyte === 0, String(large))
})

test('eachAtOnce() runs so many at the same time, and never more', async t => {
  let running = 0
  let most = 0
  const seen: number[] = []
  await eachAtOnce(numbers(10), 3, async number => {
    most = Math.max(most, ++running)
    await afterOthers()
    seen.push(number)
    running--
  })
  t.is(most, 3)
  t.deepEqual(
    seen.toSorted((a, b) => a - b),
    [...Array(10).keys()],
  )
})

test('eachAtOnce() ends at the first failure and begins nothing more', async t => {
  const begun: number[] = []
  const work = async (number: number) => {
    begun.push(number)
    if (number === 1) throw new Error('broken')
  }
  await t.throwsAsync(eachAtOnce(numbers(100), 2, work), { message: 'broken' })
  t.true(begun.length < 5, String(begun.length))
})
