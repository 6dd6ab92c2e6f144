import test from 'ava'
import type { Link, LinkChange } from '../../../../src/driver/driver.ts'
import type { NativeLinkEvent } from '../../../../src/driver/ring/addon.ts'
import { LinkWatch } from '../../../../src/driver/ring/linkWatch.ts'
import { TapError } from '../../../../src/model/errors.ts'

const link = (name: string, index: number, isUp = true): Link => ({
  ...{
    name,
    index,
    kind: 'veth',
    isUp,
    mtu: 1_500,
    gsoMaxBytes: 65_536,
    peerIndex: undefined,
    addresses: [],
    alternativeNames: [],
    hardwareType: 1,
    linkType: 'Ethernet',
  },
})
const linkEvent = (
  name: string,
  index: number,
  rest: { isGone?: boolean; isUp?: boolean } = {},
): NativeLinkEvent => ({
  ...{ kind: 'link', name, index, isGone: false, isUp: true, ...rest },
})

/** A watch whose events the test sends, and whose lists it answers with the rows in turn. */
function watch(...lists: readonly (readonly Link[] | TapError)[]) {
  const listeners = new Set<(event: NativeLinkEvent) => void>()
  const changes: LinkChange[] = []
  const answers = [...lists]
  const onLinkEvent = (listener: (event: NativeLinkEvent) => void): Disposable => {
    listeners.add(listener)
    return { [Symbol.dispose]: () => void listeners.delete(listener) }
  }
  const list = async (): Promise<readonly Link[]> => {
    const answer = answers.shift() ?? []
    if (answer instanceof TapError) throw answer
    return answer
  }
  const watched = new LinkWatch({ onLinkEvent }, list)
  const subscription = watched.subscribe(change => changes.push(change))
  const send = async (event: NativeLinkEvent): Promise<void> => {
    for (const listener of listeners) listener(event)
    await new Promise(setImmediate) // the list has answered
  }
  return { send, changes, subscription, listeners, unanswered: answers }
}

test('LinkWatch passes on whether a link is present, down or gone', async t => {
  const { send, changes } = watch()
  await send(linkEvent('a', 1))
  await send(linkEvent('a', 1, { isUp: false }))
  await send(linkEvent('a', 1, { isGone: true, isUp: false }))
  t.deepEqual(changes, [
    { kind: 'present', name: 'a', index: 1 },
    { kind: 'down', name: 'a', index: 1 },
    { kind: 'gone', name: 'a', index: 1 },
  ])
})

test('LinkWatch lists the links after a loss, and finds what is gone', async t => {
  const { send, changes } = watch([link('b', 2), link('c', 3, false)])
  await send(linkEvent('a', 1))
  await send({ kind: 'linksLost' })
  t.deepEqual(changes.slice(1), [
    { kind: 'gone', name: 'a', index: 1 },
    { kind: 'present', name: 'b', index: 2 },
    { kind: 'down', name: 'c', index: 3 },
  ])
})

test('LinkWatch lists again at the next event when the list after a loss failed', async t => {
  const { send, changes, unanswered } = watch(
    new TapError('NOT_SUPPORTED', 'Cannot list interfaces'),
    [link('b', 2)],
    [],
  )
  await send(linkEvent('a', 1))
  await send({ kind: 'linksLost' })
  t.is(changes.length, 1)
  await send(linkEvent('b', 2))
  t.deepEqual(changes.slice(1), [
    { kind: 'present', name: 'b', index: 2 },
    { kind: 'gone', name: 'a', index: 1 },
    { kind: 'present', name: 'b', index: 2 },
  ])
  await send(linkEvent('b', 2))
  t.is(unanswered.length, 1, 'a list that succeeded is not asked for again')
})

test('LinkWatch leaves the addon when the last subscriber has left', t => {
  const { subscription, listeners } = watch()
  t.is(listeners.size, 1)
  subscription[Symbol.dispose]()
  t.is(listeners.size, 0)
})
