// What an agent tells beside the files of captures: to whom, and what of a request reaches the
// disk.
import { existsSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import test from 'ava'
import { Agent, files, gatewayToken } from '../../../support/kube/agentFixture.ts'
import { useInstalled } from '../../../support/kube/installManifests.ts'

const server = useInstalled()

test.serial('GET /health answers anybody, and nothing else does', async t => {
  const agent = await Agent.start(t, server())
  const { code, text } = await agent.ask({ path: '/health' })
  t.deepEqual([code, JSON.parse(text)], [200, { status: 'healthy', node: 'node-1' }])
  for (const path of [
    '/captures',
    '/captures/uid-1/a.pcap',
    '/health?x',
    '/health/',
    '//health',
    '/Health',
  ])
    t.is((await agent.ask({ path })).code, 401, path)
})

test.serial('GET /captures lists what was made, and its files, to the gateway', async t => {
  const agent = await Agent.start(t, server())
  const token = await gatewayToken(server())
  const path = join(agent.folder.directory, 'a-20261121-100000.pcap.gz')
  writeFileSync(path, 'packed packets')
  writeFileSync(join(agent.folder.directory, 'other'), 'not listed')
  agent.folder.setArtifactResult({ atMs: 1, files: [{ path, bytes: 14 }] })
  const { code, text } = await agent.ask({ path: '/captures', token })
  t.is(code, 200)
  t.like(JSON.parse(text), { node: 'node-1', captures: [{ capture: 'shop/web', uid: 'uid-1', files: [{ name: 'a-20261121-100000.pcap.gz', bytes: 14 }] }] }) // biome-ignore format: one line
  t.like(await agent.ask({ path: '/captures/uid-1/a-20261121-100000.pcap.gz', token }), {
    code: 200,
    text: 'packed packets',
  })
  for (const wrong of [
    'uid-2/a-20261121-100000.pcap.gz',
    'uid-1/other',
    'uid-1/..%2Fother',
    'uid-1/%2Fetc%2Fhostname',
  ])
    t.is((await agent.ask({ path: `/captures/${wrong}`, token })).code, 404, wrong)
})

test.serial('DELETE takes away what was made, that version and nothing else', async t => {
  const agent = await Agent.start(t, server())
  const token = await gatewayToken(server())
  const path = join(agent.folder.directory, 'web-node-1-20261121100000UTC.tar.gz')
  writeFileSync(path, 'an archive')
  agent.write('web_cali1.pcap', 'packets')
  agent.folder.setArtifactResult({ atMs: 1, files: [{ path, bytes: 10 }] })
  const listed = JSON.parse((await agent.ask({ path: files, token })).text) as {
    files: { name: string; etag: string }[]
  }
  const tagOf = (end: string) => listed.files.find(({ name }) => name.endsWith(end))?.etag ?? ''
  const remove = async (name: string, etag: string) =>
    (
      await agent.ask({
        path: `${files}/${name}`,
        token,
        method: 'DELETE',
        headers: etag === '' ? {} : { 'if-match': etag },
      })
    ).code
  const archive = basename(path)
  t.is(await remove(archive, ''), 412)
  t.is(await remove(archive, tagOf('.pcap')), 412)
  t.is(await remove('web_cali1.pcap', tagOf('.pcap')), 412) // what was captured goes as a whole
  t.is(await remove('none.tar.gz', tagOf('.gz')), 412)
  t.true(existsSync(path))
  t.is(agent.folder.artifact?.isRemoved, undefined)
  t.is(agent.removals, 0)
  t.is(await remove(archive, tagOf('.gz')), 204)
  t.is(agent.removals, 1)
  t.false(existsSync(path))
  t.like(agent.folder.artifact, { isRemoved: true, files: [{ path }] })
  t.is(await remove(archive, tagOf('.gz')), 412)
})
