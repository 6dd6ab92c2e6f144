// The settings of a node as its file changes under the watch of chokidar, in every way that files
// are changed.
import { readFileSync, rmSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { Configuration } from '../../../src/config/watchSettings.ts'
import type { Settings } from '../../../src/model/settings.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import { Directory } from '../../support/directory.ts'
import { remains, until } from '../../support/until.ts'

async function open(
  t: ExecutionContext,
  file: string | undefined,
  overrides: Partial<Settings> = {},
) {
  const configuration = await Configuration.open({ file, overrides })
  t.teardown(() => configuration[Symbol.asyncDispose]())
  const heard = { count: 0 }
  configuration.onChange(() => heard.count++)
  return { configuration, heard }
}

function warningsOf(t: ExecutionContext, configuration: Configuration): string[] {
  const { log, lines } = new Directory(t).logger()
  configuration.warnTo(log)
  return lines().map(line => `${line.level}: ${line.warning}`)
}

test('Configuration.open() holds the file, the defaults for the rest, and what the command line says above all', async t => {
  const file = new Directory(t).write('felix.yaml', 'captureMaxFiles: 9\ncaptureDir: /from/file\n')
  const { configuration } = await open(t, file, { captureDir: '/from/option' })
  t.deepEqual(configuration.settings, {
    ...defaultSettings,
    captureMaxFiles: 9,
    captureDir: '/from/option',
  })
})

test('Configuration.open() holds the defaults when there is no file, and has nothing to warn of', async t => {
  const { configuration } = await open(t, undefined)
  t.deepEqual(configuration.settings, defaultSettings)
  t.deepEqual(warningsOf(t, configuration), [])
})

test('Configuration.open() refuses a file that is not there', async t => {
  const file = new Directory(t).in('none.yaml')
  await t.throwsAsync(Configuration.open({ file, overrides: {} }), { code: 'ENOENT' })
})

type Way = (directory: Directory, text: string) => unknown
const replace: Way = (directory, text) => directory.replace('felix.yaml', text)
const ways: Readonly<Record<string, Way>> = {
  'is written in place': (directory, text) => void directory.write('felix.yaml', text),
  'is replaced atomically': replace,
  'is truncated and then written': async (directory, text) => {
    directory.write('felix.yaml', '')
    // Long enough for the watch to see the empty file.
    const isEmpty = () => readFileSync(directory.in('felix.yaml'), 'utf8') === ''
    await remains('the empty file', 100, isEmpty)
    directory.write('felix.yaml', text)
  },
  'is removed and made again': (directory, text) => {
    rmSync(directory.in('felix.yaml'))
    directory.write('felix.yaml', text)
  },
}
for (const [way, put] of Object.entries(ways)) {
  test(`Configuration follows its file when it ${way}, again and again`, async t => {
    const directory = new Directory(t)
    const { configuration, heard } = await open(
      t,
      directory.write('felix.yaml', 'captureMaxFiles: 50\n'),
      { captureDir: '/from/option' },
    )
    const seen = new Set<number>()
    configuration.onChange(() => {
      heard.count++
      seen.add(configuration.settings.captureMaxFiles)
    })
    for (const captureMaxFiles of [51, 52, 53]) {
      const way = captureMaxFiles === 51 ? replace : put // once the first is seen, the watch stands
      await way(directory, `captureMaxFiles: ${captureMaxFiles}\n`)
      await until('the change', () => configuration.settings.captureMaxFiles === captureMaxFiles)
    }
    t.deepEqual([...seen], [51, 52, 53]) // never the default in between: it would delete files
    t.is(configuration.settings.captureDir, '/from/option')
  })
}

test("Configuration follows a ConfigMap's volume", async t => {
  const directory = new Directory(t)
  directory.mountConfigMap({ 'felix.yaml': 'captureMaxFiles: 50\n' })
  const { configuration } = await open(t, directory.in('felix.yaml'))
  for (const captureMaxFiles of [51, 52, 53]) {
    directory.mountConfigMap({ 'felix.yaml': `captureMaxFiles: ${captureMaxFiles}\n` })
    await until('the change', () => configuration.settings.captureMaxFiles === captureMaxFiles)
  }
  t.pass()
})

test('Configuration tells of a value that cannot be used, though the settings stay the same, and of its repair', async t => {
  const directory = new Directory(t)
  const file = directory.write('felix.yaml', 'logLevel: warn\n')
  const { configuration, heard } = await open(t, file)
  directory.replace('felix.yaml', 'logLevel: warn\ncaptureMaxFiles: many\n')
  await until('the warning', () => heard.count === 1)
  t.deepEqual(warningsOf(t, configuration), [
    'warn: Cannot use captureMaxFiles = "many": expected a whole number of at least 1; the default 2 holds',
  ])
  t.deepEqual(configuration.settings, { ...defaultSettings, logLevel: 'warn' })
  directory.replace('felix.yaml', 'logLevel: warn\n')
  await until('the repair', () => heard.count === 2)
  t.deepEqual(warningsOf(t, configuration), [])
})

const broken: Readonly<Record<string, [(directory: Directory) => void, RegExp]>> = {
  'is no longer YAML': [
    directory => directory.replace('felix.yaml', 'captureMaxFiles: [1\n'),
    /Cannot read the configuration file: Flow sequence/,
  ],
  'is a list': [
    directory => directory.replace('felix.yaml', '- captureMaxFiles\n'),
    /Cannot use the configuration file: expected settings by name/,
  ],
  'is removed': [
    directory => rmSync(directory.in('felix.yaml')),
    /Cannot read the configuration file: ENOENT/,
  ],
}
for (const [what, [spoil, warning]] of Object.entries(broken)) {
  test(`Configuration keeps its last good settings and warns when the file ${what}, and follows it when it is whole again`, async t => {
    const directory = new Directory(t)
    const { configuration, heard } = await open(
      t,
      directory.write('felix.yaml', 'captureMaxFiles: 50\n'),
    )
    spoil(directory)
    await until('the warning', () => heard.count === 1)
    t.is(configuration.settings.captureMaxFiles, 50)
    t.regex(warningsOf(t, configuration).join('\n'), warning)
    directory.write('felix.yaml', 'captureMaxFiles: 3\n')
    await until('the repair', () => configuration.settings.captureMaxFiles === 3)
    t.deepEqual(warningsOf(t, configuration), [])
  })
}

test("Configuration follows a ConfigMap's volume with a file for each variable, below the environment", async t => {
  const directory = new Directory(t)
  directory.mountConfigMap({
    MAX_CAPTURE_FILES: '7',
    LOG_LEVEL: 'WARNING',
    AGENT_PORT: '8080',
    MAX_CAPTURE_FILE_SIZE_MB: '10',
    'not-a-variable': 'x',
  })
  const configuration = await Configuration.open({
    file: undefined,
    directory: directory.in('.'),
    overrides: {},
  })
  t.teardown(() => configuration[Symbol.asyncDispose]())
  t.like(configuration.settings, {
    maxCaptureFiles: 7,
    logLevel: 'warn',
    agentPort: 8_080,
    maxCaptureFileSizeMb: 10,
  })
  directory.mountConfigMap({
    MAX_CAPTURE_FILES: '3',
    MAX_CAPTURE_FILE_SIZE_MB: '2',
    LOG_LEVEL: 'DEBUG',
  })
  await until('the change', () => configuration.settings.maxCaptureFiles === 3)
  t.like(configuration.settings, { logLevel: 'debug', maxCaptureFileSizeMb: 2 })
})
