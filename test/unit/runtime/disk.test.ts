// Work on a disk that may not answer.
import test from 'ava'
import { Disk, DiskLook, DiskQueue } from '../../../src/runtime/disk.ts'

/** Work that ends when it is told to. */
function held<T>(): { readonly work: () => Promise<T>; readonly end: (result: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>()
  return { work: () => promise, end: resolve }
}

test('Disk.run() has so many operations in flight, and begins the others in their order', async t => {
  const disk = new Disk(2)
  const began: number[] = []
  const all = [0, 1, 2, 3].map(() => held<number>())
  const results = all.map(({ work }, index) =>
    disk.run(() => {
      began.push(index)
      return work()
    }),
  )
  await Promise.resolve()
  t.deepEqual(began, [0, 1])
  t.is(disk.pending, 4)
  all[1]?.end(11)
  t.is(await results[1], 11)
  t.deepEqual(began, [0, 1, 2])
  for (const [index, { end }] of all.entries()) end(index)
  t.deepEqual(await Promise.all(results), [0, 11, 2, 3])
  t.is(disk.pending, 0)
  t.is(disk.silentMs, 0)
})

test('Disk.run() passes an error on and gives the place to the next', async t => {
  const disk = new Disk(1)
  const failed = disk.run(() => Promise.reject(new Error('no')))
  const next = disk.run(async () => 'next')
  await t.throwsAsync(failed, { message: 'no' })
  t.is(await next, 'next')
})

test('Disk.answered() tells of a disk that does not answer, and of work that is done', async t => {
  const disk = new Disk()
  const { work, end } = held<void>()
  const running = disk.run(work)
  t.false(await disk.answered(running, 1))
  t.true(disk.silentMs > 0)
  end()
  t.true(await disk.answered(running))
  await t.throwsAsync(disk.answered(Promise.reject(new Error('no'))), { message: 'no' })
})

test('DiskQueue.run() has one operation of its directory in flight, also after one failed', async t => {
  const queue = new DiskQueue(new Disk(9))
  const done: string[] = []
  const { work, end } = held<void>()
  const first = queue.run(async () => {
    await work()
    done.push('first')
    throw new Error('no')
  })
  const second = queue.run(async () => void done.push('second'))
  end()
  await t.throwsAsync(first, { message: 'no' })
  await second
  t.deepEqual(done, ['first', 'second'])
})

test('DiskLook keeps the last value while the next is awaited, and asks once', async t => {
  let asked = 0
  const { work, end } = held<number>()
  const look = new DiskLook(1, () => {
    asked++
    return work()
  })
  const [once, twice] = [look.refresh(), look.refresh()]
  t.is(look.value, 1)
  t.is(asked, 1)
  end(2)
  await Promise.all([once, twice])
  t.is(look.value, 2)
  t.true(look.ageMs >= 0)
})
