// Namespaces of a node's own: nothing of them outlives the process that made them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import test from 'ava'
import { makeSpace, nodeAddress } from '../../../support/kube/node/space.ts'
import { type NodeTest, nodeRefusal } from '../../../support/kube/node/useNode.ts'
import { until } from '../../../support/until.ts'

const spaceTest: NodeTest = (title, implementation) =>
  nodeRefusal === undefined
    ? test.serial(title, implementation)
    : test.serial.skip(`${title} (needs a node: ${nodeRefusal})`, implementation)

spaceTest(
  "makeSpace() gives a network with the node's address alone, and close() leaves nothing",
  async t => {
    const space = await makeSpace()
    t.regex(
      await space.run('ip', '-4', '-brief', 'address'),
      new RegExp(`^lo +UNKNOWN +127.0.0.1/8 *\nnode@nowhere +UP +${nodeAddress}/24 *\n$`),
    )
    t.deepEqual((await space.run('ps', '-e', '-o', 'comm=')).trim().split('\n'), ['bash', 'ps'])
    await space.close()
    await space.close()
    t.deepEqual(
      readdirSync('/sys/fs/cgroup').filter(name =>
        existsSync(`/sys/fs/cgroup/${name}/${space.cgroup}`),
      ),
      [],
    )
  },
)

spaceTest(
  'makeSpace() leaves no process when its own is killed, and the next one removes its cgroups',
  async t => {
    const script = `const { makeSpace } = await import(${JSON.stringify(import.meta.resolve('../../../support/kube/node/space.ts'))}); const space = await makeSpace(); console.log(space.cgroup); space.run('sleep', '1000')`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const cgroup = String((await once(child.stdout, 'data'))[0]).trim()
    const holder = Number(cgroup.split('-').at(-1))
    child.kill('SIGKILL')
    await once(child, 'exit')
    await until('its process to end', () => !existsSync(`/proc/${holder}`))
    await (await makeSpace()).close()
    t.deepEqual(
      readdirSync('/sys/fs/cgroup').filter(name => existsSync(`/sys/fs/cgroup/${name}/${cgroup}`)),
      [],
    )
  },
)
