// Which programs the tests run that are built from Go modules, where each comes from and where it
// is kept. Reads only; build.ts makes them.
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

type Module = 'kubernetes' | 'containerd' | 'versitygw' | 'health' | 'helm' | 'prometheus'
export type Tool = { readonly name: string; readonly module: Module; readonly path: string }
/**
 * What a test wants: the API server alone, all of one real node, stores to upload to, what reads the
 * health of objects, Helm, or Prometheus.
 */
export type ToolSet = 'api' | 'node' | 'stores' | 'health' | 'helm' | 'prometheus'

const names: Readonly<Record<Module, string>> = {
  kubernetes: 'k8s.io/kubernetes',
  containerd: 'github.com/containerd/containerd/v2',
  versitygw: 'github.com/versity/versitygw',
  health: 'sigs.k8s.io/cli-utils', // the library whose version counts; the program is in the folder
  helm: 'helm.sh/helm/v3',
  prometheus: 'github.com/prometheus/prometheus',
}
const assets = join(import.meta.dirname, 'assets')
/** Where each module's go.mod lies. */
export const folders: Readonly<Record<Module, string>> = {
  kubernetes: assets,
  containerd: join(assets, 'containerd'),
  versitygw: join(assets, 'versitygw'),
  health: join(assets, 'health'),
  helm: join(assets, 'helm'),
  prometheus: join(assets, 'prometheus'),
}
/** Pinned versions, with their `v`. */
export const pinned: Readonly<Record<Module, string>> = {
  kubernetes: pinOf('kubernetes'),
  containerd: pinOf('containerd'),
  versitygw: pinOf('versitygw'),
  health: pinOf('health'),
  helm: pinOf('helm'),
  prometheus: pinOf('prometheus'),
}

const from = (module: Module, ...tools: readonly string[]): Tool[] =>
  tools.map(name => ({ name, module, path: `${names[module]}/cmd/${name}` }))

const api: readonly Tool[] = [
  { name: 'etcd', module: 'kubernetes', path: 'go.etcd.io/etcd/server/v3' },
  ...from('kubernetes', 'kube-apiserver', 'kubectl'),
]
const node: readonly Tool[] = [
  ...api,
  ...from('kubernetes', 'kube-controller-manager', 'kube-scheduler', 'kubelet'),
  ...from('containerd', 'containerd', 'containerd-shim-runc-v2', 'ctr'),
]
const sets: Readonly<Record<ToolSet, readonly Tool[]>> = {
  api,
  node,
  stores: from('versitygw', 'versitygw'),
  health: [{ name: 'health', module: 'health', path: '.' }],
  helm: from('helm', 'helm'),
  prometheus: from('prometheus', 'prometheus'),
}

export const toolSets = Object.keys(sets) as readonly ToolSet[]

/**
 * The folder that keeps what one module builds; its name carries the version, so a new pin starts
 * afresh.
 */
export function cacheOf(module: Module): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return join(
    cache,
    'selcap',
    `${module === 'kubernetes' ? 'kube' : module}-${pinned[module].slice(1)}`,
  )
}

/** The path of a program; refuses with the command that builds it. */
export function toolPath(name: string): string {
  const [set, tool] =
    Object.entries(sets)
      .flatMap(([from, tools]) =>
        tools.filter(known => known.name === name).map(known => [from, known] as const),
      )
      .at(-1) ?? []
  const path = tool && findTool(tool)
  if (!path)
    throw new Error(
      `Cannot find ${name}: expected it in ${cacheOf(tool?.module ?? 'kubernetes')}; run: node_modules/.bin/node test/support/kube/build.ts ${set}`,
    )
  return path
}

export function missingTools(set: ToolSet): Tool[] {
  return sets[set].filter(tool => !findTool(tool))
}

/** KUBEBUILDER_ASSETS comes first, as controller projects have it, then the cache. */
function findTool({ name, module }: Tool): string | undefined {
  const given = process.env.KUBEBUILDER_ASSETS
  return [...(given ? [given] : []), cacheOf(module)]
    .map(folder => join(folder, name))
    .find(existsSync)
}

function pinOf(module: Module): string {
  const text = readFileSync(join(folders[module], 'go.mod'), 'utf8')
  const words = text.split('\n').map(line =>
    line
      .trim()
      .replace(/^require /, '')
      .split(' '),
  )
  const version = words.find(
    ([path, found]) => path === names[module] && found?.startsWith('v'),
  )?.[1]
  if (!version)
    throw new Error(
      `Cannot read ${folders[module]}/go.mod: expected a requirement on ${names[module]}`,
    )
  return version
}
