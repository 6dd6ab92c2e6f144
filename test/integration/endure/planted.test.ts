// An endurance run as it is typed: it passes on what is right, and a packet that is taken out of a
// file makes it fail. What it mounted, made and started is gone behind it.
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { networkRefusal } from '../../support/net/privilege.ts'
import { root } from '../../support/repository.ts'

const isAble = networkRefusal === undefined && process.getuid?.() === 0
const rootTest = isAble ? test : test.skip

type Ended = { readonly code: number | null; readonly out: string; readonly pid: number }

function endure(...options: readonly string[]): Promise<Ended> {
  const all = ['--minutes', '0', '--only', 'standalone', '--faults', 'none', ...options]
  return new Promise(resolve => {
    const script = join(root, 'scripts', 'endure.ts')
    const child = execFile(process.execPath, [script, ...all], (_, out, err) =>
      resolve({ code: child.exitCode, out: out + err, pid: child.pid ?? 0 }),
    )
  })
}

rootTest('endure passes without a fault, and fails with a packet taken out of a file', async t => {
  const [good, planted] = await Promise.all([endure('--seed', '1'), endure('--plant')])
  t.is(good.code, 0, good.out)
  t.regex(good.out, /^Seed 1: 0 minutes against standalone\n/)
  t.regex(good.out, /\npassed, seed 1\n$/)
  t.is(planted.code, 1, planted.out)
  t.regex(planted.out, /planted: long: 1 packets are in no file and in no gap, 0 are counted/)
  t.regex(planted.out, /\nFailed: planted\. Again: npm run endure -- --seed \d+ /)
  const names = [good, planted].map(({ out }) => /in (selcap-endure-\S+)/.exec(out)?.[1] ?? '-')
  t.deepEqual(
    readdirSync(tmpdir()).filter(name => names.includes(name)),
    [],
  )
  for (const name of names) t.false(readFileSync('/proc/mounts', 'utf8').includes(name))
})

test('endure refuses what it does not know', async t => {
  const { code, out } = await endure('--faults', 'none,flood')
  t.not(code, 0)
  t.regex(out, /Cannot use --faults "flood": expected some of none,killed/)
})
