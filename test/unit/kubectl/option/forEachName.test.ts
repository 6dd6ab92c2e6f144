// A command with several names goes on after a failure, but not without a server.
import test from 'ava'
import { UnreachedFailure } from '../../../../src/kubectl/client/session.ts'
import { forEachName } from '../../../../src/kubectl/option/forEachName.ts'
import { CommandFailure } from '../../../../src/model/errors.ts'

/** Which names were tried, and what was thrown. */
async function tried(failures: Readonly<Record<string, Error>>) {
  const names: string[] = []
  const act = async (name: string) => {
    names.push(name)
    const failure = failures[name]
    if (failure !== undefined) throw failure
  }
  const thrown: unknown = await forEachName(['a', 'b', 'c'], act).catch(error => error)
  return { names, thrown }
}

test('forEachName() acts for each name in order', async t =>
  t.deepEqual(await tried({}), { names: ['a', 'b', 'c'], thrown: undefined }))

for (const reason of ['notFound', 'notAllowed', 'failed'] as const)
  test(`forEachName() goes on after a name that is ${reason}, and throws it at the end`, async t => {
    const failure = new CommandFailure(reason, 'Cannot get b')
    t.deepEqual(await tried({ b: failure }), { names: ['a', 'b', 'c'], thrown: failure })
  })

test('forEachName() ends at once when the server is not reached', async t => {
  const failure = new UnreachedFailure(new Error('ECONNREFUSED'))
  t.deepEqual(await tried({ a: failure }), { names: ['a'], thrown: failure })
})

test('forEachName() ends at once at a bug', async t => {
  const bug = new TypeError('x is undefined')
  t.deepEqual(await tried({ a: bug }), { names: ['a'], thrown: bug })
})
