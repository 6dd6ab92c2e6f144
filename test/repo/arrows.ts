// Who may import whom: an arrow that is not here does not exist. A folder may always import itself; a key that ends in
// .ts is a single file. `node:*` is any module of Node; the pure stages have none, or one that only computes.
const pure = ['src/model', 'src/model/errors.ts']
const edge = [
  'src/model',
  'src/model/errors.ts',
  'src/runtime/clock.ts',
  'src/runtime/log.ts',
  'src/runtime/metrics.ts',
  'src/runtime/singleFlight.ts',
  'src/config/readSettings.ts',
  'pino',
  'node:*',
]

export const arrows: Readonly<Record<string, readonly string[]>> = {
  grammar: ['chevrotain', 'node:crypto'],

  'src/model': [],
  'src/model/errors.ts': [],
  'src/intent': [...pure, 'grammar', 'luxon', 'cron-parser', 'node:net'], // isIP() and such only compute
  'src/endpoint': [...pure, 'grammar', 'node:crypto'],
  'src/match': [...pure, 'grammar'],
  'src/schedule': [...pure, 'luxon', 'cron-parser'],
  'src/plan': pure,
  'src/status': [...pure, 'luxon'],
  'src/engine/evaluate.ts': [...pure, 'src/intent', 'src/endpoint', 'src/core/decide.ts'],
  'src/core/decide.ts': [...pure, 'src/match', 'src/schedule', 'src/plan'],

  'src/document': [...pure, 'src/api/packetcapture/time.ts', 'ajv', 'ajv-formats', '@marcbachmann/cel-js', 'yaml', 'luxon', 'node:*'],
  'src/world': [...edge, 'src/document', 'chokidar', 'yaml', '@kubernetes/client-node'],
  'src/taps': [...edge, 'src/files', 'pcap', 'native'],
  'src/files': [...edge, 'src/driver/driver.ts', 'ajv'], // of taps the contract alone: what a sink is
  'src/stream': [...edge, 'src/taps', 'src/pcap/block.ts', 'src/pcap/fileHeader.ts', 'src/core/plan/ringBudget.ts'],
  'src/publish': [...edge, 'src/status', 'src/kube/request.ts', 'yaml'],

  'src/artifacts': [...edge, 'src/files', 'src/model/text.ts', 'src/pcap/heap.ts', 'src/taps', 'tar-stream'],
  'src/output': [
    'src/model',
    'src/runtime/clock.ts',
    'src/runtime/bufferGc.ts',
    'node:*',
    '@aws-sdk/client-s3',
    '@azure/storage-blob',
    'ssh2',
  ],

  'src/runtime/clock.ts': ['src/schedule', 'node:*'],
  'src/runtime/singleFlight.ts': [],
  'src/runtime/bufferGc.ts': ['node:*'],
  'src/runtime/log.ts': ['pino', 'src/model', 'node:*'],
  'src/runtime/metrics.ts': ['src/model', 'prom-client', 'node:*'],
  'src/config/readSettings.ts': [...pure, 'yaml', 'chokidar', 'pino', 'src/runtime/log.ts', 'src/runtime/singleFlight.ts', 'node:*'],
  'src/engine/turnLog.ts': ['src/model', 'src/status', 'pino', 'src/runtime/log.ts'],
  'src/engine/engine.ts': [
    ...edge,
    'src/engine/evaluate.ts',
    'src/engine/turnLog.ts',
    'src/world',
    'src/taps',
    'src/files',
    'src/publish',
    'src/status',
  ],
  'src/runtime/process.ts': edge,
  'src/access': [...edge, 'src/kube/request.ts', 'selfsigned'],
  'src/agentServer': [...edge, 'src/access', 'src/files', 'src/stream', 'fastify'],
  'src/agent/startEngine.ts': [...edge, 'src/runtime/process.ts', 'src/engine/engine.ts', 'src/taps', 'src/world'],
  'src/agent/run.ts': [
    ...edge,
    'src/access',
    'src/agentServer',
    'src/artifacts',
    'src/runtime/process.ts',
    'src/cli',
    'src/engine/engine.ts',
    'src/agent/startEngine.ts',
    'src/publish',
    'src/stream',
    'src/taps',
    'src/files',
    'src/world',
  ],
  'src/agent/standalone.ts': [
    ...edge,
    'src/artifacts',
    'src/runtime/process.ts',
    'src/cli',
    'src/agent/startEngine.ts',
    'src/publish',
    'src/taps',
    'src/files',
    'src/world',
  ],
  'src/main.ts': ['src/cli', 'src/model/errors.ts', 'commander', 'node:v8'],
  'src/cli': ['src', 'grammar', 'chokidar', 'commander', 'pino', 'yaml', 'luxon', 'pcap', '@kubernetes/client-node', 'node:*'],
  'src/controller': [
    ...edge,
    'src/runtime/http.ts',
    'src/agentClient',
    'src/output',
    'src/cli',
    'src/runtime/process.ts',
    'src/intent',
    'src/endpoint', // to count nodes by the rules by which they capture
    'src/match',
    'src/schedule',
    'src/status',
    'src/publish',
    'src/world',
    'src/driver/driver.ts',
    'src/driver/openDriver.ts', // to compile filters
    'src/driver/compileCheck.ts',
  ],
  'src/agentClient': [
    ...edge,
    'src/access',
    'src/agentapi/server/server.ts', // what its answers look like
    'src/kube/request.ts',
  ],
  'src/gateway': [
    ...edge,
    'src/access',
    'src/agentClient',
    'src/runtime/bufferGc.ts',
    'src/cli',
    'src/runtime/process.ts',
    'src/publish',
    'src/stream/mergedStream.ts',
    'src/pcap/fileHeader.ts', // a section's block
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
