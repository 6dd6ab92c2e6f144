import test from 'ava'
import { JoinedStream } from '../../../../src/kubectl/client/joinedStream.ts'
import { makeBlock, noteBlock } from '../../../../src/pcap/block.ts'
import { sectionOf } from '../../../../src/pcap/fileHeader.ts'
import { blockTypes } from '../../../../src/pcap/format.ts'

const numbered = (type: number, id: number) => {
  const body = Buffer.alloc(20)
  body.writeUInt32LE(id)
  return makeBlock(type, body, [])
}
const section = sectionOf('one')
const inner = makeBlock(blockTypes.interface, Buffer.alloc(8), [])
const packet = (id: number) => numbered(blockTypes.packet, id)

test('the first connection passes as it is, in whole blocks', t => {
  const joined = new JoinedStream()
  const all = Buffer.concat([section, inner, noteBlock(), packet(0)])
  t.deepEqual(joined.add(all.subarray(0, section.length)).bytes, section)
  t.false(joined.hasContent)
  const [one, two] = [all.subarray(section.length, -3), all.subarray(-3)]
  t.deepEqual(Buffer.concat([section, joined.add(one).bytes, joined.add(two).bytes]), all)
  t.true(joined.hasContent)
})

test('a later connection goes on in the same section, with interfaces of its own', t => {
  const joined = new JoinedStream()
  joined.add(Buffer.concat([section, inner, inner, packet(1).subarray(0, 9)]))
  joined.begin('some are missing')
  const more = [inner, packet(0), numbered(blockTypes.statistics, 0)]
  t.deepEqual(
    joined.add(Buffer.concat([section, ...more])).bytes,
    Buffer.concat([noteBlock('some are missing'), inner, packet(2), numbered(blockTypes.statistics, 2)]), // biome-ignore format: one line
  )
})

test('what is no block is a problem', t =>
  t.regex(new JoinedStream().add(Buffer.from('Not found, sorry')).problem ?? '', /^a block of/))
