// npm run test:sanitize: runs the native tests with AddressSanitizer, UndefinedBehaviorSanitizer
// and LeakSanitizer, and native/reader_threads.c with ThreadSanitizer. Builds the addon a second
// time, into native/build/sanitized, so the normal build stays as it is. Node itself is not
// instrumented: the sanitizer is preloaded into it. In: test files, or none for all native tests.
// Fails when a test fails or a sanitizer reports a fault; a leak counts if the addon allocated the
// memory. As root; else the tests that need a network namespace are skipped by name. Takes about
// three minutes.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bundledFolder, nodeToRun, root } from './bundled.mjs'

const native = join(root, 'native')
const sanitized = join(native, 'build', 'sanitized')
const reports = join(sanitized, 'reports')
const tests = 'test/integration/node/native/*.test.ts'
const files = process.argv.slice(2)
const sources = readFileSync(join(native, 'binding.gyp'), 'utf8').match(/[a-z_]+\.c(?=")/g) ?? []

rmSync(reports, { recursive: true, force: true })
mkdirSync(reports, { recursive: true })
run(process.execPath, [join(root, 'scripts', 'setup.mjs')]) // before the sanitizer is preloaded: it would slow compilers down
build()
const ava = [
  join(root, 'node_modules', 'ava', 'entrypoints', 'cli.js'),
  '--no-worker-threads',
  '--concurrency=2',
  '--timeout=5m',
]
const areThreadsGood = files.length > 0 || runThreads()
const { status } = spawnSync(nodeToRun(), [...ava, ...(files.length > 0 ? files : [tests])], {
  cwd: root,
  env: { ...process.env, ...sanitizerEnvironment() },
  stdio: 'inherit',
})
const faults = readdirSync(reports).flatMap(name =>
  faultsOf(readFileSync(join(reports, name), 'utf8')),
)
for (const fault of faults) process.stdout.write(`${fault.split('\n').slice(0, 40).join('\n')}\n\n`)
process.stdout.write(`${faults.length} faults reported by the sanitizers\n`)
process.exitCode = status === 0 && faults.length === 0 && areThreadsGood ? 0 : 1

function build() {
  const include = join(bundledFolder() ?? join(process.execPath, '..', '..'), 'include', 'node')
  compile(
    join(sanitized, 'selcap.node'),
    [...sources, 'leak_check.c'],
    [
      ...[
        '-fvisibility=hidden',
        '-fPIC',
        '-shared',
        '-Wl,-z,nodelete',
        '-fsanitize=address,undefined',
      ],
      ...[
        '-fno-sanitize-recover=undefined',
        '-DNAPI_VERSION=8',
        '-DNODE_GYP_MODULE_NAME=selcap',
        '-isystem',
        include,
      ],
    ],
  )
}

/**
 * The reader without Node, which ThreadSanitizer cannot be preloaded into. Takes a network
 * namespace, so root.
 */
function runThreads() {
  const program = join(sanitized, 'reader_threads')
  const reader = sources.filter(
    name => !/node_api\.h|js_values\.h|addon\.h/.test(readFileSync(join(native, name), 'utf8')),
  )
  compile(program, [...reader, 'reader_threads.c'], ['-fsanitize=thread'])
  const asRoot = process.getuid?.() === 0
  if (!asRoot) process.stdout.write('Skipped: reader_threads.c needs root\n')
  return !asRoot || spawnSync('unshare', ['--net', program], { stdio: 'inherit' }).status === 0
}

function compile(target, names, flags) {
  const common = [
    '-std=gnu17',
    '-g',
    '-O1',
    '-fno-omit-frame-pointer',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-D_GNU_SOURCE',
    ...flags,
  ]
  run('gcc', [
    ...common,
    ...names.map(name => join(native, name)),
    '-o',
    target,
    '-lpcap',
    '-lpthread',
  ])
}

function sanitizerEnvironment() {
  const log = `log_path=${join(reports, 'report')}`
  const preload = join(root, 'scripts', 'sanitizedAddon.mjs')
  return {
    LD_PRELOAD: run('gcc', ['-print-file-name=libasan.so']).trim(),
    ASAN_OPTIONS: `${log}:detect_leaks=1:leak_check_at_exit=0:malloc_context_size=10`,
    UBSAN_OPTIONS: `${log}:print_stacktrace=1`,
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import ${preload}`.trim(),
  }
}

/**
 * All but leaks of memory that others allocated, also Node within a call of the addon: V8 hides
 * what it references from the leak check.
 */
function faultsOf(report) {
  const parts = report.split(/\n\n+/)
  const leaks = parts.filter(part => /^(Direct|Indirect) leak of/.test(part))
  const others = leaks.length > 0 ? [] : [report]
  return [
    ...others,
    ...leaks.filter(
      part =>
        (part.includes('selcap.node') || part.includes(`${native}/`)) &&
        !/^ +#1 \S+ in napi_/m.test(part),
    ),
  ]
}

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status === 0) return stdout
  process.stderr.write(
    `Cannot run ${command}: expected gcc with libasan, libubsan and libtsan\n${stderr ?? ''}${error?.message ?? ''}\n`,
  )
  process.exit(1)
}
