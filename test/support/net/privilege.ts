// Tests that need network namespaces: run as root, or as an ordinary user within `unshare -Urnm`;
// elsewhere they are skipped by name, with the reason in the title.
//   networkTest('open() does X when Y', async t => { const pod = await makePod(t); … })
import { spawnSync } from 'node:child_process'
import test, { type ExecutionContext } from 'ava'

/** Why this process cannot make network namespaces; undefined if it can. */
export const networkRefusal: string | undefined = whyNot()

export type NetworkTest = (
  title: string,
  implementation: (t: ExecutionContext) => Promise<void>,
) => void

export const networkTest: NetworkTest =
  networkRefusal === undefined ? (title, implementation) => test(title, implementation) : skip

/** The same, one after another within its file. */
export const serialNetworkTest: NetworkTest =
  networkRefusal === undefined
    ? (title, implementation) => test.serial(title, implementation)
    : skip

function skip(title: string, implementation: (t: ExecutionContext) => Promise<void>): void {
  test.skip(`${title} (needs a network: ${networkRefusal})`, implementation)
}

function whyNot(): string | undefined {
  if (process.platform !== 'linux')
    return `network namespaces are Linux's, this is ${process.platform}`
  const tried = spawnSync('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up'], {
    encoding: 'utf8',
  })
  if (tried.status === 0) return undefined
  return (tried.error?.message ?? tried.stderr).trim() || `unshare ended with ${tried.status}`
}
