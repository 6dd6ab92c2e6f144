import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CaptureFolder } from '../../../src/files/captureFolder.ts'
import { cleanCaptures, cleanResults } from '../../../src/files/cleanNode.ts'
import type { CaptureRef } from '../../../src/model/captureRef.ts'

const capture: CaptureRef = { api: 'PacketCapture', namespace: 'shop', name: 'web', uid: 'u1' }

function mounted(t: ExecutionContext): string {
  const top = mkdtempSync(join(tmpdir(), 'selcap-clean-'))
  t.teardown(() => rmSync(top, { recursive: true, force: true }))
  return top
}

test('cleanCaptures() removes captures with a state file and the empty directories, and no more', async t => {
  const top = mounted(t)
  const captureDir = join(top, 'calico', 'pcap')
  await CaptureFolder.create({ captureDir, capture, node: 'node-0', nowMs: 1 })
  const folder = join(captureDir, 'shop', 'web')
  writeFileSync(join(folder, 'web-0_cali1.pcap'), '')
  t.deepEqual(await cleanCaptures(captureDir, top), { removed: 1, left: [] })
  t.false(existsSync(join(top, 'calico')))
  t.true(existsSync(top))
  t.deepEqual(await cleanCaptures(captureDir, top), { removed: 0, left: [] })
})

test("cleanCaptures() leaves Calico's own captures, and says so", async t => {
  const top = mounted(t)
  const captureDir = join(top, 'calico', 'pcap')
  mkdirSync(join(captureDir, 'bank', 'felix'), { recursive: true })
  writeFileSync(join(captureDir, 'bank', 'felix', 'web-0_cali1.pcap'), '')
  await CaptureFolder.create({ captureDir, capture, node: 'node-0', nowMs: 1 })
  t.deepEqual(await cleanCaptures(captureDir, top), { removed: 0, left: ['bank'] })
  t.true(existsSync(join(captureDir, 'bank', 'felix', 'web-0_cali1.pcap')))
})

test('cleanResults() removes archives and single files by their names, and no file of others', async t => {
  const top = mounted(t)
  const results = join(top, 'retina', 'captures')
  mkdirSync(join(results, 'trace'), { recursive: true })
  mkdirSync(join(results, 'mine'), { recursive: true })
  const ours = [
    'trace/a-node-1-20260102030405UTC.tar.gz',
    'trace/.0b7a3c1e-1111-4222-8333-444455556666.tar.gz.part',
    'web-20260102-030405.pcap',
    'web-20260102-030405.txt.gz',
    'web-20260102-030405.pcap.part',
  ]
  const others = ['mine/evidence.pcap', 'ip.txt.gz', 'ip-20260102.pcap', 'notes.md']
  for (const name of [...ours, ...others]) writeFileSync(join(results, name), '')
  t.deepEqual(await cleanResults(results, top), {
    removed: ours.length,
    left: ['ip-20260102.pcap', 'ip.txt.gz', 'mine', 'notes.md'],
  })
  for (const name of others) t.true(existsSync(join(results, name)))
})
