import test from 'ava'
import { hostPlace } from '../../../../src/api/retina/hostPath.ts'
import { casesOf } from '../../../support/model/retinaCases.ts'

function hostDirectory(raw: string, baseDir: string): string {
  const { base, below } = hostPlace(raw, baseDir)
  return [base, ...below].join('/').replace(/^\/\//, '/')
}

type Case = {
  readonly raw: string
  readonly baseDir: string
  readonly expected?: string | null
  readonly error?: string | null
}

for (const group of ['hostPath', 'derived_hostPathProbes']) {
  for (const [index, { raw, baseDir, expected, error }] of casesOf<Case>(group).entries()) {
    test(`${group} ${index}: ${JSON.stringify(raw)} under "${baseDir}" is ${expected ?? `refused`}`, t => {
      if (error)
        t.true(
          t
            .throws(() => hostDirectory(raw, baseDir), { instanceOf: RangeError })
            ?.message.startsWith(error),
        )
      else t.is(hostDirectory(raw, baseDir), expected ?? '')
    })
  }
}

test('hostPlace() refuses a path that no file system knows', t => {
  t.throws(() => hostDirectory('a\0b', ''), {
    instanceOf: RangeError,
    message: 'hostPath resolves outside the configured base directory',
  })
})
