// A process that uploads one file and says what came of it: a test kills it on the way, or asks how
// much memory it took. In: a job as JSON on standard input. Out: a line of JSON, with its greatest
// memory in KiB.
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import type { StoreTarget } from '../../../src/model/output.ts'
import type { DestinationPolicy } from '../../../src/store/destinationPolicy.ts'
import { openStore } from '../../../src/store/openStore.ts'
import type { SecretValues } from '../../../src/store/store.ts'
import { madeSource, testEffort, testPolicy } from './source.ts'

export type Job = {
  readonly target: StoreTarget
  readonly secret: SecretValues
  readonly bytes: number
  readonly isLarge?: boolean
  readonly policy?: DestinationPolicy
}

const {
  target,
  secret,
  bytes,
  isLarge = false,
  policy = testPolicy,
}: Job = JSON.parse(await text(process.stdin))
const opened = await openStore(target, secret, policy, { effort: isLarge ? {} : testEffort })
if (!opened.ok) throw new Error(opened.reason)
const put = await opened.store.put('web_1.pcap', madeSource(bytes), new AbortController().signal)
opened.store.close()
// Not the greatest of getrusage(2), which begins with that of the process that started this one.
const [, maxRssKib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
process.stdout.write(`${JSON.stringify({ put, maxRssKib: Number(maxRssKib) })}\n`)
