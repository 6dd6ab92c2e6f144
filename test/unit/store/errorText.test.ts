import test from 'ava'
import {
  isRetryableStatus,
  networkError,
  retryAfterMs,
  toFailure,
  withoutSecrets,
} from '../../../src/store/errorText.ts'
import { permanentError, StoreError } from '../../../src/store/store.ts'

const running = new AbortController().signal

test('withoutSecrets() removes values of a Secret, with and without the spaces around them, and signatures as they are or decoded', t => {
  const secret = { key: 'canary-key\n', url: 'https://store.example.org/c?sv=1&sig=abc%2Fdef123' }
  t.is(withoutSecrets('at canary-key: abc%2Fdef123, abc/def123', secret), 'at ***: ***, ***')
})

test('withoutSecrets() leaves short values, which are parts of ordinary words', t => {
  t.is(withoutSecrets('the user is root', { user: 'root' }), 'the user is root')
})

test('networkError() names the code of an error, also of its cause, and of nothing else', t => {
  t.is(
    networkError(Object.assign(new Error('canary'), { code: 'ECONNREFUSED' }))?.message,
    'the connection was refused (ECONNREFUSED)',
  )
  const wrapped = new Error('canary', {
    cause: Object.assign(new Error('canary'), { code: 'ENOTFOUND' }),
  })
  t.is(networkError(wrapped)?.message, 'the host is not known (ENOTFOUND)')
  t.is(networkError(new Error('canary')), undefined)
  t.is(networkError('canary'), undefined)
})

test('toFailure() makes a StoreError a value without secrets, and throws a bug on', t => {
  const error = permanentError('no key canary-key')
  t.deepEqual(
    toFailure(new Error('wrapped', { cause: error }), 'Cannot upload "a"', running, {
      key: 'canary-key',
    }),
    {
      ok: false,
      isFinal: true,
      reason: 'Cannot upload "a": no key ***',
    },
  )
  const bug = new TypeError('bug')
  t.throws(() => toFailure(bug, 'Cannot upload "a"', running, {}), { is: bug })
})

test('toFailure() says that an upload was stopped, whatever else was thrown', t => {
  t.like(toFailure(new StoreError('lost'), 'Cannot upload "a"', AbortSignal.abort(), {}), {
    isFinal: false,
    reason: 'Cannot upload "a": stopped',
  })
})

test('isRetryableStatus() and retryAfterMs() read what an answer says about a retry', t => {
  t.deepEqual([500, 503, 408, 429, 400, 403, 404].filter(isRetryableStatus), [500, 503, 408, 429])
  t.deepEqual(['3', '0', 'Wed, 21 Oct 2026 07:28:00 GMT', undefined].map(retryAfterMs), [
    3_000,
    0,
    undefined,
    undefined,
  ])
})
