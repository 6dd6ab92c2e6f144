// Interfaces that cannot be listed count as gone; a bug is no such case.
import test from 'ava'
import { linksIfThere } from '../../../src/driver/linksIfThere.ts'
import { TapError } from '../../../src/model/errors.ts'

const failing = (error: Error) => ({ links: () => Promise.reject(error) })

test('linksIfThere() gives none where the driver or a system call fails', async t => {
  t.deepEqual(
    await linksIfThere(
      failing(new TapError('NO_NAMESPACE', 'Cannot list interfaces')),
      '/var/run/netns/gone',
    ),
    [],
  )
  t.deepEqual(
    await linksIfThere(
      failing(Object.assign(new Error('ENOENT'), { syscall: 'scandir' })),
      undefined,
    ),
    [],
  )
})

test('linksIfThere() throws a bug on', async t => {
  await t.throwsAsync(linksIfThere(failing(new TypeError('a bug')), undefined), {
    instanceOf: TypeError,
  })
})
