// Which programs the cluster tests need, where each comes from and where it is kept. Reads only; cluster-tools.mjs builds.
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const assets = join(dirname(dirname(fileURLToPath(import.meta.url))), 'test', 'cluster', 'assets')
const folders = { kubernetes: assets, containerd: join(assets, 'containerd') }

export const pinned = {
  kubernetes: pinOf('kubernetes', 'k8s.io/kubernetes'),
  containerd: pinOf('containerd', 'github.com/containerd/containerd/v2'),
}

const kube = name => ({ name, module: 'kubernetes', folder: assets, path: `k8s.io/kubernetes/cmd/${name}` })
const runtime = name => ({
  name,
  module: 'containerd',
  folder: folders.containerd,
  path: `github.com/containerd/containerd/v2/cmd/${name}`,
})

const api = [
  { name: 'etcd', module: 'kubernetes', folder: assets, path: 'go.etcd.io/etcd/server/v3' },
  kube('kube-apiserver'),
  kube('kubectl'),
]
const node = [
  ...['kube-controller-manager', 'kube-scheduler', 'kubelet'].map(kube),
  ...['containerd', 'containerd-shim-runc-v2', 'ctr'].map(runtime),
]
const sets = { api, node: [...api, ...node] }

/** The folder that keeps what one module builds; its name carries the version, so a new pin starts afresh. */
export function cacheOf(module) {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return join(cache, 'selcap', `${module === 'kubernetes' ? 'kube' : module}-${pinned[module].slice(1)}`)
}

/** Where a program is: KUBEBUILDER_ASSETS first, as controller projects have it, else the cache. undefined: not there yet. */
export function findTool(name) {
  const tool = sets.node.find(known => known.name === name)
  if (!tool) throw new RangeError(`Cannot find "${name}": expected one of ${sets.node.map(known => known.name).join(', ')}`)
  const given = process.env.KUBEBUILDER_ASSETS
  return [...(given ? [given] : []), cacheOf(tool.module)].map(folder => join(folder, name)).find(existsSync)
}

export function missingTools(set) {
  if (!Object.hasOwn(sets, set)) throw new RangeError(`Cannot look for the set "${set}": expected api or node`)
  return sets[set].filter(({ name }) => !findTool(name))
}

function pinOf(module, name) {
  const text = readFileSync(join(folders[module], 'go.mod'), 'utf8')
  const found = text
    .split('\n')
    .map(line =>
      line
        .trim()
        .replace(/^require /, '')
        .split(' '),
    )
    .find(([path, version]) => path === name && version?.startsWith('v'))
  if (!found) throw new Error(`Cannot read ${folders[module]}/go.mod: expected a requirement on ${name}`)
  return found[1]
}
