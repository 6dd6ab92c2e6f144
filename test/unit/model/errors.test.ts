// What counts as expected is decided by an error's class, never by its words.
import { statSync } from 'node:fs'
import test from 'ava'
import { BusyError } from '../../../src/auth/reviews.ts'
import {
  CommandFailure,
  ExpectedError,
  isExpected,
  osErrorMessage,
  StreamError,
  TapError,
} from '../../../src/model/errors.ts'
import { StoreError } from '../../../src/store/store.ts'

const nothing = undefined as unknown as { readonly name: string }

test('isExpected() is true of the classes made for it, whatever the message says', t => {
  const expected = [
    new ExpectedError('the agent answered 500'),
    new TapError('NO_MEMORY', 'no memory'),
    new StreamError('TooMany', 'too many'),
    new CommandFailure('usage', 'no such flag'),
    new CommandFailure('failed', 'no answer'),
    new StoreError('the bucket is gone'),
    new BusyError('too much'),
  ]
  t.deepEqual(
    expected.filter(error => !isExpected(error)),
    [],
  )
})

test('isExpected() is true of a system call that failed, and osErrorMessage() is its message', t => {
  const error = t.throws(() => statSync('/no/such/file'))
  t.true(isExpected(error))
  t.regex(osErrorMessage(error), /^ENOENT: /)
})

test('isExpected() is false of a bug, even one whose message begins like ours', t => {
  const bug = t.throws(() => nothing.name, { instanceOf: TypeError })
  t.regex(bug?.message ?? '', /^Cannot read /)
  for (const error of [
    bug,
    new Error('Cannot go on: a library says so'),
    'Cannot go on',
    undefined,
  ])
    t.false(isExpected(error))
  t.throws(() => osErrorMessage(bug), { is: bug })
})
