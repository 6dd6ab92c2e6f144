// Who may import whom: an arrow that is not here does not exist. A folder may always import itself; a key that ends in
// .ts is a single file. `node:*` is any module of Node; the pure stages have none, or one that only computes.
const pure = ['src/model', 'src/errors.ts']
const edge = [
  'src/model',
  'src/errors.ts',
  'src/clock.ts',
  'src/log.ts',
  'src/metrics.ts',
  'src/singleFlight.ts',
  'src/config.ts',
  'pino',
  'node:*',
]

export const arrows: Readonly<Record<string, readonly string[]>> = {
  grammar: ['chevrotain', 'node:crypto'],

  'src/model': [],
  'src/errors.ts': [],
  'src/intent': [...pure, 'grammar', 'luxon', 'cron-parser', 'node:net'], // isIP() and such only compute
  'src/endpoint': [...pure, 'grammar', 'node:crypto'],
  'src/match': [...pure, 'grammar'],
  'src/schedule': [...pure, 'luxon', 'cron-parser'],
  'src/plan': pure,
  'src/status': [...pure, 'luxon'],
  'src/decide.ts': [...pure, 'src/intent', 'src/endpoint', 'src/decideRead.ts'],
  'src/decideRead.ts': [...pure, 'src/match', 'src/schedule', 'src/plan'],

  'src/document': [...pure, 'src/intent/time.ts', 'ajv', 'ajv-formats', '@marcbachmann/cel-js', 'yaml', 'luxon', 'node:*'],
  'src/world': [...edge, 'src/document', 'chokidar', 'yaml', '@kubernetes/client-node'],
  'src/taps': [...edge, 'src/files', 'pcap', 'native'],
  'src/files': [...edge, 'src/taps/driver.ts', 'ajv'], // of taps the contract alone: what a sink is
  'src/stream': [...edge, 'src/taps', 'src/files/block.ts', 'src/files/header.ts', 'src/plan/rings.ts'],
  'src/publish': [...edge, 'src/status', 'src/world/kube.ts', 'yaml'],

  'src/artifacts': [...edge, 'src/files', 'src/status/words.ts', 'src/stream/heap.ts', 'src/taps', 'tar-stream'],
  'src/output': ['src/model', 'src/clock.ts', 'src/sweeper.ts', 'node:*', '@aws-sdk/client-s3', '@azure/storage-blob', 'ssh2'],

  'src/clock.ts': ['src/schedule', 'node:*'],
  'src/singleFlight.ts': [],
  'src/sweeper.ts': ['node:*'],
  'src/log.ts': ['pino', 'src/model', 'node:*'],
  'src/metrics.ts': ['src/model', 'prom-client', 'node:*'],
  'src/config.ts': [...pure, 'yaml', 'chokidar', 'pino', 'src/log.ts', 'src/singleFlight.ts', 'node:*'],
  'src/turnLog.ts': ['src/model', 'src/status', 'pino', 'src/log.ts'],
  'src/engine.ts': [...edge, 'src/decide.ts', 'src/turnLog.ts', 'src/world', 'src/taps', 'src/files', 'src/publish', 'src/status'],
  'src/daemon.ts': edge,
  'src/access': [...edge, 'src/world/kube.ts', 'selfsigned'],
  'src/agentServer': [...edge, 'src/access', 'src/files', 'src/stream', 'fastify'],
  'src/nodeEngine.ts': [...edge, 'src/daemon.ts', 'src/engine.ts', 'src/taps', 'src/world'],
  'src/agent.ts': [
    ...edge,
    'src/access',
    'src/agentServer',
    'src/artifacts',
    'src/daemon.ts',
    'src/cli',
    'src/engine.ts',
    'src/nodeEngine.ts',
    'src/publish',
    'src/stream',
    'src/taps',
    'src/files',
    'src/world',
  ],
  'src/standalone.ts': [
    ...edge,
    'src/artifacts',
    'src/daemon.ts',
    'src/cli',
    'src/nodeEngine.ts',
    'src/publish',
    'src/taps',
    'src/files',
    'src/world',
  ],
  'src/main.ts': ['src/cli', 'src/errors.ts', 'commander', 'node:v8'],
  'src/cli': ['src', 'grammar', 'chokidar', 'commander', 'pino', 'yaml', 'luxon', 'pcap', '@kubernetes/client-node', 'node:*'],
  'src/controller': [
    ...edge,
    'src/access/http.ts',
    'src/agentClient',
    'src/output',
    'src/cli',
    'src/daemon.ts',
    'src/intent',
    'src/endpoint', // to count nodes by the rules by which they capture
    'src/match',
    'src/schedule',
    'src/status',
    'src/publish',
    'src/world',
    'src/taps/driver.ts',
    'src/taps/drivers.ts', // to compile filters
    'src/taps/filterRefusal.ts',
  ],
  'src/agentClient': [
    ...edge,
    'src/access',
    'src/agentServer/server.ts', // what its answers look like
    'src/world/kube.ts',
  ],
  'src/gateway': [
    ...edge,
    'src/access',
    'src/agentClient',
    'src/sweeper.ts',
    'src/cli',
    'src/daemon.ts',
    'src/publish',
    'src/stream/outlet.ts',
    'src/files/header.ts', // a section's block
    'src/world',
    'chokidar',
    'fastify',
    'yazl',
  ],
}

/** The key that speaks for a file: the file itself, else the folder it lies in. undefined: no arrow starts or ends there. */
export function ownerOf(file: string, table = arrows): string | undefined {
  const keys = Object.keys(table).filter(key => key === file || file.startsWith(`${key}/`))
  return keys.toSorted((a, b) => b.length - a.length)[0]
}

/** The imports of a file that no arrow allows. `imported` are paths from the root, or package names. */
export function strangers(file: string, imported: readonly string[], table = arrows): string[] {
  const owner = ownerOf(file, table)
  const allowed = owner === undefined ? [] : [owner, ...(table[owner] ?? [])]
  return imported.filter(target => !allowed.some(arrow => reaches(arrow, target)))
}

function reaches(arrow: string, target: string): boolean {
  if (arrow === 'node:*') return target.startsWith('node:')
  return target === arrow || target.startsWith(`${arrow}/`)
}
