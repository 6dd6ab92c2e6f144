// docs/errors.md and src/model/codes.ts hold the same codes with the same meanings, both ways; and
// src uses every code.
import test from 'ava'
import * as codes from '../../src/model/codes.ts'
import { read } from '../support/repository.ts'
import { under } from './tree.ts'

type Row = readonly [code: string, meaning: string]

const manual = read('docs/errors.md')

/** By heading, in the order of the document. */
const families: Readonly<Record<string, readonly Row[]>> = {
  'Tap errors': Object.entries(codes.tapErrorMeanings),
  'Refused live streams': Object.entries(codes.streamRefusals),
  'Refused requests': Object.entries(codes.gatewayRefusals),
  'Condition Ready': Object.entries(codes.readyReasons),
  'Condition Degraded': Object.entries(codes.degradedReasons),
  'Conditions of a Retina Capture': Object.entries(codes.retinaReasons),
  'Events of a PacketCapture': Object.entries(codes.packetCaptureEvents),
  'Events of a PacketCaptureConfig': Object.entries(codes.packetCaptureConfigEvents),
  'Events of the gateway': Object.entries(codes.gatewayEvents),
  'Closed taps': Object.entries(codes.closeReasons),
  'Exit codes of kubectl pcap': Object.entries(codes.exitMeanings).map(([reason, meaning]) => [
    `${codes.exitCodes[reason as codes.ExitReason]}`,
    meaning,
  ]),
  'Exit code 1 of other commands': Object.entries(codes.exitOneMeanings).map(([name, meaning]) => [
    `selcap ${name}`,
    meaning,
  ]),
}

function sectionsOf(text: string): Record<string, readonly Row[]> {
  const sections = text.split(/^## /m).slice(1)
  return Object.fromEntries(
    sections.map(section => [section.slice(0, section.indexOf('\n')), rowsOf(section)]),
  )
}

function rowsOf(section: string): Row[] {
  return Array.from(
    section.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm),
    ([, code = '', meaning = '']): Row => [code, meaning],
  )
}

test('sectionsOf() reads each row of each section', t => {
  const text =
    '# Errors\n\n## A\n| code | meaning |\n|---|---|\n| `X` | x |\n| `Y` | uses `y` |\n\n## B\nNone.\n'
  const A: Row[] = [
    ['X', 'x'],
    ['Y', 'uses `y`'],
  ]
  t.deepEqual(sectionsOf(text), { A, B: [] })
})

test('docs/errors.md has a section for each family of codes, and no other', t => {
  t.deepEqual(Object.keys(sectionsOf(manual)), Object.keys(families))
})

for (const [heading, rows] of Object.entries(families)) {
  test(`docs/errors.md has the rows of the table in the code: ${heading}`, t =>
    t.deepEqual(sectionsOf(manual)[heading], rows))
}

test('every export of the table is a family of the document', t => {
  const shown = Object.values(families).flat()
  const entries = Object.values(codes).flatMap((family): Row[] =>
    Object.entries(family).map(([code, meaning]) => [code, `${meaning}`]),
  )
  const missing = entries.filter(
    ([, meaning]) => !shown.some(row => row[1] === meaning || row[0] === meaning),
  )
  t.deepEqual(missing, [])
})

test('src or native uses every code', t => {
  const text = under('src', 'native')
    .filter(file => /\.(ts|c|h)$/.test(file) && file !== 'src/model/codes.ts')
    .map(read)
    .join('\n')
  const all = [
    ...Object.values(families).flat(),
    ...Object.keys(codes.exitCodes).map((name): Row => [name, '']),
  ]
  const names = all.map(([code]) => code).filter(code => /^[A-Za-z_]+$/.test(code))
  t.true(names.length > 60)
  t.deepEqual(
    [...new Set(names)].filter(code => !new RegExp(`['"]${code}['"]`).test(text)),
    [],
  )
})

test('the commands that exit with 1 are those of the table', t => {
  const exiting = under('src/cmd').filter(file => read(file).includes('process.exitCode = 1'))
  t.deepEqual(
    exiting.map(file => file.slice('src/cmd/'.length, -'.ts'.length)).toSorted(),
    Object.keys(codes.exitOneMeanings).toSorted(),
  )
})
