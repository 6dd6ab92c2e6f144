// One capture in full, as text.
import test from 'ava'
import type { ShownCapture } from '../../../../src/api/packetcapture/printerColumns.ts'
import { describeCapture } from '../../../../src/kubectl/command/describe.ts'
import { row, statusOf } from '../../../support/model/observations.ts'
import { capture } from '../../../support/worlds/documents.ts'

test('describeCapture() tells of each file where it went, or why not', t => {
  const at = '2026-11-21T12:00:00Z'
  const uploads = [
    { file: 'a.pcap', output: 's3Upload', uploaded: 's3://captures/a.pcap', at },
    { file: 'b.pcap', output: 's3Upload', error: 'no such bucket', at },
  ]
  const { file } = row('node-1', 'Finished', { file: { uploads } })
  const text = describeCapture({
    ...capture('web'),
    status: statusOf(1, { files: [file] }),
  } as ShownCapture)
  t.regex(
    text,
    /\n {2}a\.pcap uploaded to s3:\/\/captures\/a\.pcap\n {2}b\.pcap not uploaded: no such bucket\n/,
  )
})

test('describeCapture() says what the spec says, and no more, before there is a status', t => {
  const text = describeCapture(capture('web', { selector: "app == 'web'" }) as ShownCapture)
  t.regex(text, /^Name: +web\nNamespace: +default\nCreated: +\S+\nSelector: +app == 'web'\n/)
  t.notRegex(text, /^(Spec|Totals|Dropped):/m)
})

test('describeCapture() takes an empty selector for all()', t =>
  t.regex(describeCapture(capture('web', {}) as ShownCapture), /^Selector: +all\(\)$/m))
