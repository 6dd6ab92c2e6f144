// What a user does: a merged stream piped into Wireshark's own live capture, with an endpoint that
// joins, and losses told on the way.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test from 'ava'
import { at, Merging } from '../../../support/pcap/merging.ts'
import { until } from '../../../support/until.ts'

test('tshark follows a stream that runs: an interface that joins, statistics in the middle, an interface that ends', async t => {
  const fields = [
    'frame.interface_name',
    'frame.interface_description',
    'frame.time_epoch',
  ].flatMap(field => ['-e', field])
  const tshark = spawn('tshark', ['-n', '-l', '-i', '-', '-T', 'fields', ...fields], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  t.teardown(() => tshark.kill('SIGKILL'))
  const ended = once(tshark, 'exit')
  const lines: string[] = []
  createInterface({ input: tshark.stdout }).on('line', line => lines.push(line))
  const merging = new Merging()
  const give = () => {
    merging.take()
    tshark.stdin.write(merging.taken.at(-1) ?? '')
  }

  const a = merging.join('cali1')
  give()
  merging.push(a, at(1))
  give()
  await until('the first packet', () => lines.length === 1)
  merging.merge.count(a, 0, { received: 10, lost: 3 })
  const b = merging.join('cali2')
  give()
  merging.push(b, at(2))
  merging.push(a, at(3))
  merging.end(a)
  give()
  merging.push(b, at(4))
  give()
  await until('all packets', () => lines.length === 4)
  merging.end(b)
  give()
  tshark.stdin.end()
  const [code] = await ended
  t.is(code, 0)
  const expected = ['cali1 1', 'cali2 2', 'cali1 3', 'cali2 4'].map(each => each.split(' '))
  t.deepEqual(lines.map(line => line.split('\t')), expected.map(([name, second]) => [name, 'shop/web-0', `${second}.000000000`])) // biome-ignore format: one line
})
