// What an agent tells beside the files of captures: to whom, and what of a request reaches the disk.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { useInstalled } from '../daemonset/install.ts'
import { Agent, gatewayToken } from './stage.ts'

const server = useInstalled()

test.serial('GET /health answers anybody, and nothing else does', async t => {
  const agent = await Agent.start(t, server())
  const { code, text } = await agent.ask({ path: '/health' })
  t.deepEqual([code, JSON.parse(text)], [200, { status: 'healthy', node: 'node-1' }])
  for (const path of ['/captures', '/captures/uid-1/a.pcap', '/health?x', '/health/', '//health', '/Health'])
    t.is((await agent.ask({ path })).code, 401, path)
})

test.serial('GET /captures lists what was made, and its files, to the gateway', async t => {
  const agent = await Agent.start(t, server())
  const token = await gatewayToken(server())
  const path = join(agent.folder.directory, 'a-20261121-100000.pcap.gz')
  writeFileSync(path, 'packed packets')
  writeFileSync(join(agent.folder.directory, 'other'), 'not listed')
  agent.folder.setMade({ atMs: 1, files: [{ path, bytes: 14 }] })
  const { code, text } = await agent.ask({ path: '/captures', token })
  t.is(code, 200)
  t.like(JSON.parse(text), { node: 'node-1', captures: [{ capture: 'shop/web', uid: 'uid-1', files: [{ name: 'a-20261121-100000.pcap.gz', bytes: 14 }] }] }) // biome-ignore format: one line
  t.like(await agent.ask({ path: '/captures/uid-1/a-20261121-100000.pcap.gz', token }), { code: 200, text: 'packed packets' })
  for (const wrong of ['uid-2/a-20261121-100000.pcap.gz', 'uid-1/other', 'uid-1/..%2Fother', 'uid-1/%2Fetc%2Fhostname'])
    t.is((await agent.ask({ path: `/captures/${wrong}`, token })).code, 404, wrong)
})
