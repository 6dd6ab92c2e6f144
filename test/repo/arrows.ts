// Which folder may import which: an import without an arrow here fails the test. In: a table, a
// folder a line. A folder may import itself. `node:*` is every module of Node. The three pure
// folders have only modules and packages that compute. Refuses an arrow to a single file: a file
// that others need alone lies in the wrong folder.
const computes = ['node:crypto', 'node:net', 'luxon', 'cron-parser'] // of node:net only isIP() and BlockList

export const arrows: Readonly<Record<string, readonly string[]>> = {
  grammar: ['chevrotain', 'node:crypto'],

  'src/model': computes,
  'src/core': ['src/model', ...computes],
  'src/api': ['src/core', 'src/model', 'grammar', ...computes],

  'src/runtime': ['src/model', 'chokidar', 'pino', 'prom-client', 'node:*'],
  'src/pcap': ['src/model', 'node:*'],
  'src/driver': ['src/model', 'src/pcap', 'pcap', 'native', 'node:*'],
  'src/kube': ['src/model', 'src/runtime', 'node:*'],
  'src/kube/kubeconfig': ['hpagent', 'socks-proxy-agent', 'yaml'],
  'src/config': ['src/model', 'src/runtime', 'yaml', 'node:*'],
  'src/store': ['src/model', 'src/runtime', 'node:*'],
  'src/store/s3': ['@aws-sdk/client-s3'],
  'src/store/azure': ['@azure/storage-blob'],
  'src/store/sftp': ['ssh2'],

  'src/auth': ['src/kube', 'src/model', 'src/runtime', 'selfsigned', 'node:*'],
  'src/files': ['src/driver', 'src/model', 'src/pcap', 'src/runtime', 'ajv', 'node:*'],
  'src/netdev': ['src/driver', 'src/model', 'node:*'],
  'src/publish': ['src/core', 'src/kube', 'src/model', 'src/runtime', 'yaml', 'node:*'],
  'src/manifest': [
    'src/api',
    'src/model',
    'ajv',
    'ajv-formats',
    '@marcbachmann/cel-js',
    'yaml',
    'node:*',
  ],

  'src/artifacts': ['src/files', 'src/model', 'src/pcap', 'src/runtime', 'tar-stream', 'node:*'],
  'src/stream': [
    'src/core',
    'src/driver',
    'src/model',
    'src/netdev',
    'src/pcap',
    'src/runtime',
    'node:*',
  ],
  'src/tap': ['src/driver', 'src/files', 'src/model', 'src/netdev', 'src/runtime', 'node:*'],
  'src/source': [
    'src/kube',
    'src/manifest',
    'src/model',
    'src/runtime',
    'grammar',
    'chokidar',
    'yaml',
    'node:*',
  ],

  'src/agentapi': [
    'src/auth',
    'src/files',
    'src/kube',
    'src/model',
    'src/runtime',
    'src/stream',
    'fastify',
    'node:*',
  ],
  'src/engine': [
    'src/api',
    'src/core',
    'src/driver',
    'src/model',
    'src/runtime',
    'src/source',
    'src/tap',
    'node:*',
  ],

  'src/agent': [
    'src/agentapi',
    'src/artifacts',
    'src/auth',
    'src/config',
    'src/core',
    'src/driver',
    'src/engine',
    'src/kube',
    'src/model',
    'src/netdev',
    'src/publish',
    'src/runtime',
    'src/source',
    'src/stream',
    'src/tap',
    'node:*',
  ],
  'src/controller': [
    'src/agentapi',
    'src/api',
    'src/config',
    'src/core',
    'src/driver',
    'src/kube',
    'src/model',
    'src/runtime',
    'src/store',
    'node:*',
  ],
  'src/gateway': [
    'src/agentapi',
    'src/auth',
    'src/core',
    'src/kube',
    'src/model',
    'src/pcap',
    'src/runtime',
    'src/stream',
    'fastify',
    'yazl',
    'node:*',
  ],

  'src/cmd': [
    'src/agent',
    'src/api',
    'src/controller',
    'src/driver',
    'src/gateway',
    'src/kube',
    'src/manifest',
    'src/model',
    'src/publish',
    'src/runtime',
    'grammar',
    'commander',
    'node:*',
  ],
  'src/kubectl': [
    'src/api',
    'src/cmd',
    'src/core',
    'src/files',
    'src/kube',
    'src/model',
    'src/pcap',
    'src/runtime',
    'grammar',
    'commander',
    'yaml',
    'node:*',
  ],
  'src/main.ts': ['src/cmd', 'src/kubectl', 'commander', 'node:v8'],
}

/**
 * The keys of a file: its folder's, and those of the folders above. None: the file's folder is not
 * in the table.
 */
export function keysOf(file: string, table = arrows): string[] {
  return Object.keys(table).filter(key => key === file || file.startsWith(`${key}/`))
}

/**
 * The imports of a file that no arrow allows. `imported` are paths from the root, or names of
 * packages.
 */
export function strangers(file: string, imported: readonly string[], table = arrows): string[] {
  const keys = keysOf(file, table)
  const allowed = [...keys, ...keys.flatMap(key => table[key] ?? [])]
  return imported.filter(target => !allowed.some(arrow => reaches(arrow, target)))
}

/** Whether an import goes where an arrow points. */
export function reaches(arrow: string, target: string): boolean {
  if (arrow === 'node:*') return target.startsWith('node:')
  return target === arrow || target.startsWith(`${arrow}/`)
}
