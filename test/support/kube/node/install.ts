// selcap on a real node, as a user installs it: the image of the project's own file list, and
// `kubectl apply -k`.
//   await installSelcap(node)       resolves when agent, controllers and gateways are ready
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { read, root } from '../../repository.ts'
import { systemNamespace } from '../systemNamespace.ts'
import { makeImage } from './image.ts'
import type { Node } from './node.ts'

export { systemNamespace }

/** What containerd makes of the name that the manifests have. */
const imageName = `docker.io/library/selcap:${JSON.parse(read('package.json')).version}`

export async function installSelcap(node: Node): Promise<void> {
  await importSelcap(node)
  await node.kubectl('apply', '-k', join(root, 'daemonset', 'base'))
  for (const part of [
    'daemonset/selcap-agent',
    'deployment/selcap-controller',
    'deployment/selcap-gateway',
  ])
    await rolledOut(node, part)
}

/** The image, by the name that the manifests have. */
export async function importSelcap(node: Node): Promise<void> {
  const tree = mkdtempSync(join(node.directory, 'selcap-'))
  execFileSync(process.execPath, [join(root, 'scripts', 'image.mjs'), tree])
  const entrypoint = ['/usr/local/bin/selcap']
  await node.importImage(
    makeImage(node.directory, {
      name: imageName,
      files: { '/': tree },
      entrypoint,
      user: '65532:65532',
    }),
  )
}

/** Refuses with what the pods and the cluster say. */
async function rolledOut(node: Node, part: string): Promise<void> {
  const { code } = await node.ask(
    ['rollout', 'status', part, '-n', systemNamespace, '--timeout=240s'],
    { timeoutMs: 250_000 },
  )
  if (code === 0) return
  const said = await Promise.all([
    node.ask(['describe', 'pods', '-n', systemNamespace]),
    node.ask(['get', 'events', '-n', systemNamespace]),
    node.ask(['logs', part, '-n', systemNamespace, '--tail=30']),
  ])
  throw new Error(`Cannot install ${part}:\n${said.map(({ out, err }) => out + err).join('\n')}`)
}
