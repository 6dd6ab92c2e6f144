// What the addon throws at once becomes a TapError, unless it is about the arguments.
import test from 'ava'
import { callAddon } from '../../../../src/driver/ring/callAddon.ts'
import { TapError } from '../../../../src/model/errors.ts'

const throwing = (error: Error) => () => {
  throw error
}

test('callAddon() returns what the addon returns', t => {
  t.is(
    callAddon(() => 7),
    7,
  )
})

test('callAddon() makes a TapError of an error that is not about the arguments, with its code in the message', t => {
  const full = Object.assign(new Error('Cannot make a pipe'), { code: 'EMFILE' })
  t.throws(() => callAddon(throwing(full)), {
    instanceOf: TapError,
    code: 'NO_MEMORY',
    message: 'Cannot make a pipe: EMFILE',
  })
  t.throws(() => callAddon(throwing(new Error('Cannot call the addon: out of memory'))), {
    instanceOf: TapError,
    code: 'NO_MEMORY',
  })
})

test('callAddon() rethrows what is wrong with the arguments: that is a bug', t => {
  for (const bug of [
    new TypeError('Cannot call the addon: expected a number'),
    new RangeError('Cannot open tap: expected a snap length'),
  ])
    t.throws(() => callAddon(throwing(bug)), { is: bug })
})
