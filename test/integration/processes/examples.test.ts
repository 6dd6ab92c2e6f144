// Every example is a manifest that selcap itself accepts.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'ava'
import { under } from '../../repo/tree.ts'
import { read, root } from '../../support/repository.ts'

// Those of other APIs are held to their schemas in test/integration/kube/crds.
const own = under('examples').filter(
  name => name.endsWith('.yaml') && read(name).includes('projectcalico.org/v3'),
)

for (const file of own) {
  test(`selcap validate accepts ${file}`, t => {
    const { status, stdout, stderr } = spawnSync(join(root, 'bin', 'selcap'), ['validate', file], {
      cwd: root,
      encoding: 'utf8',
    })
    t.is(status, 0, `${stdout}${stderr}`)
  })
}

test('bin/selcap says what it is when asked for help', t => {
  const { status, stdout } = spawnSync(join(root, 'bin', 'selcap'), ['validate', '--help'], {
    cwd: root,
    encoding: 'utf8',
  })
  t.is(status, 0)
  t.regex(stdout, /Usage: selcap validate/)
})
