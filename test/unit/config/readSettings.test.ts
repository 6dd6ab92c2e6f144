import test from 'ava'
import { readSettings } from '../../../src/config/readSettings.ts'
import { defaultSettings } from '../../../src/model/settings.ts'

test('readSettings() gives the defaults when nothing is said', t => {
  t.deepEqual(readSettings({}, undefined), {
    settings: defaultSettings,
    warnings: [],
    isReadable: true,
  })
})

test("readSettings() takes Felix's variables in any case", t => {
  const { settings } = readSettings(
    {
      FELIX_CAPTUREDIR: '/x',
      Felix_CaptureMaxFiles: '7',
      FELIX_INTERFACEPREFIX: 'eni,veth',
      AGENT_PORT: '8080',
    },
    undefined,
  )
  t.like(settings, {
    captureDir: '/x',
    captureMaxFiles: 7,
    interfacePrefix: 'eni',
    agentPort: 8080,
  })
})

test('readSettings() lets the environment win over the file', t => {
  const { settings } = readSettings(
    { FELIX_CAPTUREMAXFILES: '3' },
    'captureMaxFiles: 5\ncaptureRotationSeconds: 60\n',
  )
  t.like(settings, { captureMaxFiles: 3, captureRotationSeconds: 60 })
})

const bad: readonly (readonly [string, string])[] = [
  ['FELIX_CAPTUREDIR', ''],
  ['FELIX_CAPTUREMAXSIZEBYTES', '0'],
  ['FELIX_CAPTUREMAXSIZEBYTES', '1e9'],
  ['FELIX_CAPTUREROTATIONSECONDS', '-1'],
  ['FELIX_CAPTUREMAXFILES', 'two'],
  ['FELIX_CAPTUREDISKFREEPERCENTMIN', '100'],
  ['FELIX_LOGLEVEL', 'loud'],
  ['FELIX_INTERFACEPREFIX', 'toolong'],
  ['AGENT_PORT', '65536'],
]
for (const [variable, text] of bad) {
  test(`readSettings() keeps the default and warns by name when ${variable} is "${text}"`, t => {
    const { settings, warnings } = readSettings({ [variable]: text }, undefined)
    t.deepEqual(settings, defaultSettings)
    t.is(warnings.length, 1)
    t.true(warnings[0]?.startsWith(`Cannot use ${variable} = "${text}": expected `))
  })
}

for (const [what, text] of [
  ['a list', '- a'],
  ['broken', '{a: ['],
  ['a setting nobody knows', 'captureMaxFile: 2'],
] as const) {
  test(`readSettings() warns once and keeps the defaults when the file is ${what}`, t => {
    const { settings, warnings } = readSettings({}, text)
    t.deepEqual(settings, defaultSettings)
    t.is(warnings.length, 1)
  })
}
