// What is logged, and what a capture's Events say, of each access to its files.
import test from 'ava'
import { audit } from '../../../src/gateway/audit.ts'
import type { GatewayCapture } from '../../../src/gateway/captureCache.ts'
import type { Logger } from '../../../src/runtime/log.ts'

for (const [what, message, event] of [
  [
    'files.zip',
    'files handed over',
    { reason: 'Downloaded', message: 'paul had files.zip, 70 bytes (complete)' },
  ],
  ['clean', 'files cleaned', { reason: 'Cleaned', message: 'paul removed the files (complete)' }],
] as const) {
  test(`audit() logs who, from where and what, and makes an Event ${event.reason} of the user when what is ${what}`, t => {
    const capture = { metadata: { namespace: 'shop', name: 'web' } } as GatewayCapture
    const [lines, events]: [unknown[], unknown[]] = [[], []]
    const log = {
      info: (fields: object, text: string) => void lines.push({ ...fields, text }),
    } as unknown as Logger
    const access = { user: { username: 'paul' }, capture, from: '192.0.2.7' }
    audit({ log, recordEvent: (on, each) => void events.push([on, each]) }, access, {
      what,
      bytes: 70,
      result: 'complete',
    })
    t.deepEqual(lines, [
      {
        user: 'paul',
        from: '192.0.2.7',
        namespace: 'shop',
        name: 'web',
        what,
        bytes: 70,
        result: 'complete',
        text: message,
      },
    ])
    t.deepEqual(events, [[capture, { type: 'Normal', mark: 'paul', ...event }]])
  })
}
