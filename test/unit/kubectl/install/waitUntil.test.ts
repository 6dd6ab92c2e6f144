import test from 'ava'
import { waitUntil } from '../../../../src/kubectl/install/waitUntil.ts'

test('waitUntil() ends when it is so, and says what has not come', async t => {
  const answers = [false, true]
  await waitUntil('it is', 60, async () => answers.shift() ?? t.fail())
  t.deepEqual(answers, [])
  await t.throwsAsync(
    waitUntil('it is', 0, async () => false),
    {
      message: 'Waited 0 s until it is, in vain',
    },
  )
})
