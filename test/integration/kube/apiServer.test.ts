// The API server of the cluster tests itself: several at once, its interruptions, and that nothing
// of it stays behind.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import test from 'ava'
import { startApiServer } from '../../support/kube/apiServer.ts'
import { pinned } from '../../support/kube/tools.ts'
import { until } from '../../support/until.ts'

test('startApiServer() gives two servers of the pinned version that know nothing of each other', async t => {
  const [one, two] = await Promise.all([startApiServer(), startApiServer()])
  try {
    t.regex(await one.kubectl('version'), new RegExp(`Server Version: ${pinned.kubernetes}\n`))
    await one.kubectl('create', 'namespace', 'mine')
    t.is((await one.ask(['get', 'namespace', 'mine'])).code, 0)
    t.like(await two.ask(['get', 'namespace', 'mine']), { code: 1, out: '' })
  } finally {
    await Promise.all([one.stop(), two.stop()])
  }
  t.deepEqual(
    [one, two].filter(
      ({ directory }) => existsSync(directory) || processesOf(directory).length > 0,
    ),
    [],
  )
})

test('resume() serves the same objects at the same address when the server was killed', async t => {
  await using api = await startApiServer()
  await api.kubectl('create', 'namespace', 'kept')
  await api.interrupt('SIGKILL')
  t.not((await api.ask(['get', 'namespace', 'kept'], { timeoutMs: 5_000 })).code, 0)
  await api.resume()
  t.is((await api.ask(['get', 'namespace', 'kept'])).code, 0)
})

test('startApiServer() leaves no process behind when its own is killed', async t => {
  const script = `const { startApiServer } = await import(${JSON.stringify(import.meta.resolve('../../support/kube/apiServer.ts'))}); console.log((await startApiServer()).directory)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = await once(child.stdout, 'data')
  const directory = String(said).trim()
  t.is(processesOf(directory).length, 2)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await until('its processes to end', () => processesOf(directory).length === 0)
  t.deepEqual(processesOf(directory), [])
})

/** Processes whose working directory this is. */
function processesOf(directory: string): string[] {
  return readdirSync('/proc').filter(
    pid => /^\d+$/.test(pid) && linkOf(`/proc/${pid}/cwd`) === directory,
  )
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path).replace(/ \(deleted\)$/, '')
  } catch {
    return undefined // ended since
  }
}
