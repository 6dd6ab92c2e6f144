// The node's settings out of the environment and a file, by Felix's names. Pure: texts in, settings
// and warnings out. The environment wins over the file, as in Felix. A value that cannot be used
// gives way to the default, with a warning.
import { parse } from 'yaml'
import { defaultSettings, type Settings } from '../model/settings.ts'

type SettingReader = (text: string) => string | number | undefined // undefined: not usable
type Setting = { readonly read: SettingReader; readonly expected: string }

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

const settings: Readonly<Record<keyof Settings, Setting>> = {
  captureDir: { read: text => text || undefined, expected: 'a directory' },
  captureMaxSizeBytes: integer(1),
  captureRotationSeconds: integer(1),
  captureMaxFiles: integer(1),
  captureDiskBytesMax: integer(1),
  captureDiskFreePercentMin: integer(0, 99),
  captureRingBytesMax: integer(524_288),
  captureBufferBytesMax: integer(4_194_304),
  captureEndpointsMax: integer(1),
  captureHostPathBaseDir: {
    read: text => (text.startsWith('/') ? text : undefined),
    expected: 'an absolute directory',
  },
  captureJobNumLimit: integer(0),
  interfacePrefix: {
    read: text => (/^[a-zA-Z0-9_.-]{1,4}$/.test(first(text)) ? first(text) : undefined),
    expected: 'at most 4 of the characters of interface names',
  },
  logLevel: { read: readLevel, expected: `one of ${levels.join(', ')}` },
  packetCapturesDir: { read: text => text || undefined, expected: 'a directory' },
  maxCaptureFiles: integer(1),
  maxCaptureFileSizeMb: integer(1, 1_000_000),
  agentPort: integer(1, 65_535),
  metricsPort: integer(1, 65_535),
  outputHttp: {
    read: text => ['Refused', 'Allowed'].find(word => word === text),
    expected: 'Refused or Allowed',
  },
  outputHostsAllowed: list(/^(\*\.)?[\w.:-]+$/, 'host names, *.example.org among them'),
  outputAddressesAllowed: list(/^[\da-fA-F.:]+(\/\d{1,3})?$/, 'ranges such as 10.0.0.0/8'),
}

/** Names in the environment beside FELIX_ and the setting's own. */
const aliases: Readonly<Record<string, keyof Settings>> = {
  AGENT_PORT: 'agentPort',
  LOG_LEVEL: 'logLevel',
  MAX_CAPTURE_FILES: 'maxCaptureFiles',
  MAX_CAPTURE_FILE_SIZE_MB: 'maxCaptureFileSizeMb',
}

type GivenSetting = { readonly source: string; readonly text: string }
type FromFile = {
  readonly given: readonly [string, GivenSetting][]
  readonly warnings: readonly string[]
  readonly isReadable: boolean
}

/**
 * `isReadable`: the file, if one was given, is YAML and holds settings by name; some of them may
 * still be unusable.
 */
export type ReadSettings = {
  readonly settings: Settings
  readonly warnings: readonly string[]
  readonly isReadable: boolean
}

export function readSettings(
  env: Readonly<Record<string, string | undefined>>,
  fileText: string | undefined,
): ReadSettings {
  const file = readFile(fileText)
  const given = new Map([...file.given, ...environment(env)])
  const warnings = [...file.warnings]
  const entries = Object.entries(settings).map(([name, { read, expected }]) => {
    const found = given.get(name)
    const value = found && read(found.text.trim())
    const standard = defaultSettings[name as keyof Settings]
    if (found && value === undefined)
      warnings.push(
        `Cannot use ${found.source} = "${found.text}": expected ${expected}; the default ${standard} holds`,
      )
    return [name, value ?? standard]
  })
  return {
    settings: Object.fromEntries(entries) as Settings,
    warnings,
    isReadable: file.isReadable,
  }
}

function environment(env: Readonly<Record<string, string | undefined>>): [string, GivenSetting][] {
  const byFelix = new Map(Object.keys(settings).map(name => [`FELIX_${name.toUpperCase()}`, name]))
  return Object.entries(env).flatMap(([variable, text]): [string, GivenSetting][] => {
    const name = byFelix.get(variable.toUpperCase()) ?? aliases[variable.toUpperCase()]
    return name === undefined || text === undefined ? [] : [[name, { source: variable, text }]]
  })
}

function readFile(text: string | undefined): FromFile {
  if (text === undefined || text.trim() === '') return { given: [], warnings: [], isReadable: true }
  try {
    const found = parse(text) as unknown
    if (typeof found !== 'object' || found === null || Array.isArray(found))
      return {
        given: [],
        warnings: ['Cannot use the configuration file: expected settings by name'],
        isReadable: false,
      }
    const known = Object.entries(found).filter(([name]) => Object.hasOwn(settings, name))
    const unknown = Object.keys(found).filter(name => !Object.hasOwn(settings, name))
    return {
      given: known.map(([name, value]) => [name, { source: name, text: String(value) }]),
      warnings: unknown.map(
        name =>
          `Cannot use the setting "${name}": there is none of that name, expected one of ${Object.keys(settings).join(', ')}`,
      ),
      isReadable: true,
    }
  } catch (error) {
    return {
      given: [],
      warnings: [`Cannot read the configuration file: ${(error as Error).message.split('\n')[0]}`],
      isReadable: false,
    }
  }
}

function integer(least: number, most = Number.MAX_SAFE_INTEGER): Setting {
  const expected =
    most === Number.MAX_SAFE_INTEGER
      ? `a whole number of at least ${least}`
      : `a whole number from ${least} to ${most}`
  return {
    expected,
    read: text =>
      /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most
        ? Number(text)
        : undefined,
  }
}

/** Accepts Python's level names as well (WARNING). */
function readLevel(text: string): string | undefined {
  const wanted = text.toLowerCase()
  return levels.find(level => level === (wanted === 'warning' ? 'warn' : wanted))
}

/** Separated by commas; an empty one is a list too. */
function list(item: RegExp, what: string): Setting {
  const read = (text: string) => {
    const words = text
      .split(',')
      .map(word => word.trim())
      .filter(word => word !== '')
    return words.every(word => item.test(word)) ? words.join(',') : undefined
  }
  return { read, expected: `a comma list of ${what}` }
}

function first(text: string): string {
  return text.split(',')[0]?.trim() ?? ''
}
