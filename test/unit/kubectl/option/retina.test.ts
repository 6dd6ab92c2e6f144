// The flags for fields that Retina's Capture alone has.
import test from 'ava'
import { Command } from 'commander'
import { type RetinaOptions, withRetina } from '../../../../src/kubectl/option/retina.ts'

const read = (...flags: readonly string[]): RetinaOptions =>
  withRetina(new Command()).parse(flags, { from: 'user' }).opts()

test('withRetina() collects lists, with commas or a flag each', t => {
  t.like(
    read('--interfaces', 'eth0,eth1', '--interfaces', 'eth2', '--include-filter', '10.0.0.1:80'),
    {
      interfaces: ['eth0', 'eth1', 'eth2'],
      includeFilter: ['10.0.0.1:80'],
    },
  )
})

test('withRetina() takes metadata unless it is told not to', t => {
  t.is(read().metadata, true)
  t.is(read('--no-metadata').metadata, false)
})
