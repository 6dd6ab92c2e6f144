// Which kinds of capture agents and controllers are told to serve.
import test from 'ava'
import { Command } from 'commander'
import { apisOption } from '../../../src/cmd/servedApis.ts'

function apisOf(...words: string[]): unknown {
  const command = new Command()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .addOption(apisOption())
  return command.parse(words, { from: 'user' }).opts().apis
}

for (const [words, expected] of [
  [[], ['PacketCapture']],
  [['--apis', ''], ['PacketCapture']],
  [
    ['--apis', 'retina'],
    ['PacketCapture', 'Capture'],
  ],
  [
    ['--apis', 'packetcaptureconfig, retina,retina'],
    ['PacketCapture', 'PacketCaptureConfig', 'Capture'],
  ],
  [
    ['--apis=packetcaptureconfig', '--apis=retina'],
    ['PacketCapture', 'PacketCaptureConfig', 'Capture'],
  ],
] as const)
  test(`--apis: "${words.join(' ')}" is ${expected}`, t =>
    t.deepEqual(apisOf(...words), [...expected]))

test('--apis refuses another name, with those there are', t => {
  t.throws(() => apisOf('--apis', 'retinas'), {
    message: /Found "retinas", expected retina or packetcaptureconfig/,
  })
})
