// What the first message of a libpcap process may be.
import test from 'ava'
import { MessageReader, MessageWriter } from '../../../../src/driver/libpcap/pcapMessage.ts'
import { firstMessage } from '../../../../src/driver/libpcap/pcapProcessHandle.ts'
import { ExpectedError, TapError } from '../../../../src/model/errors.ts'

/** A process that has sent what `send` writes, and then ended. */
function childThatSent(send: (out: MessageWriter) => void): Parameters<typeof firstMessage>[0] {
  const reader = new MessageReader()
  const out = new MessageWriter(bytes => reader.push(Buffer.from(bytes)))
  send(out)
  out.flush()
  return {
    reader,
    more: async () => false,
    earlyEnd: async what => new TapError('NOT_SUPPORTED', `Cannot ${what}: it ended`),
  }
}

test('firstMessage() gives the first message and leaves what follows it', async t => {
  const child = childThatSent(out => {
    out.message({ kind: 'ready', linkType: 'LINKTYPE_ETHERNET' })
    out.message({ kind: 'down' })
  })
  t.deepEqual(await firstMessage(child, 'open tap'), {
    kind: 'ready',
    linkType: 'LINKTYPE_ETHERNET',
  })
  t.deepEqual(child.reader.peek(), { control: { kind: 'down' } })
})

test('firstMessage() refuses with the code that a refusal means, and with the reason of an early end', async t => {
  const refused = (message: string) =>
    childThatSent(out => out.message({ kind: 'refused', during: 'open', message }))
  await t.throwsAsync(firstMessage(refused('eth9: No such device exists'), 'open tap'), {
    instanceOf: TapError,
    code: 'NO_INTERFACE',
  })
  await t.throwsAsync(
    firstMessage(
      childThatSent(() => {}),
      'open tap',
    ),
    { instanceOf: TapError, message: 'Cannot open tap: it ended' },
  )
})

test('a packet before the first message fails one tap, which may be tried again, and not the process', async t => {
  const child = childThatSent(out => out.packet(Buffer.alloc(16), Buffer.alloc(60)))
  const error = await t.throwsAsync(firstMessage(child, 'open tap'), { instanceOf: ExpectedError })
  t.false(error instanceof TapError)
})
