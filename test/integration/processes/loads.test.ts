// What agent and standalone do not load at their start, since each node has one: it would be most
// of what they may take.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const unwanted = /undici|kubeconfig|hpagent|socks-proxy|@aws-sdk|@azure|ssh2|opentelemetry|yazl/

for (const program of ['agent/run', 'agent/standalone']) {
  test(`src/${program}.ts loads nothing at its start that takes megabytes and is rarely needed`, t => {
    const path = fileURLToPath(new URL(`../../../src/${program}.ts`, import.meta.url))
    const look = `
      await import(${JSON.stringify(path)})
      const { createRequire } = await import('node:module')
      console.log(JSON.stringify([...process.moduleLoadList, ...Object.keys(createRequire(${JSON.stringify(path)}).cache)]))`
    const loaded = JSON.parse(
      execFileSync(process.execPath, ['--no-warnings', '--input-type=module', '--eval', look], {
        encoding: 'utf8',
      }),
    ) as string[]
    t.true(loaded.length > 100)
    t.deepEqual(
      loaded.filter(name => unwanted.test(name)),
      [],
    )
  })
}
