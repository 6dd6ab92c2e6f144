// Draws a diagram: text in, SVG out. docs/architecture.diagram explains the text; the drawing
// follows a reader's light or dark scheme.
//   node_modules/.bin/node scripts/diagram.ts                    writes docs/architecture.svg
// Refuses an unknown statement, a number that is none, and a text that is wider than its box, each
// with the line's number.
import { readFileSync, writeFileSync } from 'node:fs'

type Point = { readonly x: number; readonly y: number }
type Area = Point & { readonly width: number; readonly height: number }
type Statement = {
  readonly number: number
  readonly words: readonly string[]
  readonly body: readonly string[]
}

const boxKinds = ['person', 'api', 'program', 'frame', 'part', 'store']
const lineKinds = ['control', 'packets']
const titleSize = 15
const textSize = 12.5
const leading = 18

export function drawDiagram(source: string): string {
  const statements = statementsOf(source)
  const canvas = statements.find(({ words: [name] }) => name === 'canvas')
  if (canvas === undefined)
    throw new SyntaxError('Cannot draw the diagram: expected a line "canvas WIDTH HEIGHT"')
  const [width = 0, height = 0] = numbersOf(canvas, canvas.words.slice(1, 3))
  const title =
    statements
      .find(({ words: [name] }) => name === 'title')
      ?.words.slice(1)
      .join(' ') ?? ''
  const shapes = statements.flatMap(shapeOf)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">`,
    `<title id="title">${escaped(title)}</title>`,
    `<style>${style}</style>`,
    '<defs>',
    ...lineKinds.map(arrowHead),
    '</defs>',
    `<rect class="paper" width="${width}" height="${height}" rx="12"/>`,
    ...shapes,
    '</svg>',
    '',
  ].join('\n')
}

/** A statement a line; lines that begin with a blank are the body of the statement above them. */
function statementsOf(source: string): Statement[] {
  const statements: { number: number; words: string[]; body: string[] }[] = []
  for (const [index, line] of source.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    if (line.startsWith(' ')) statements.at(-1)?.body.push(line.trim())
    else statements.push({ number: index + 1, words: wordsOf(line), body: [] })
  }
  return statements
}

/** Words between blanks; a text in double quotes is one word. */
function wordsOf(line: string): string[] {
  return Array.from(line.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain ?? '')
}

function shapeOf(statement: Statement): string[] {
  switch (statement.words[0]) {
    case 'canvas':
    case 'title':
      return []
    case 'group':
      return drawGroup(statement)
    case 'box':
      return drawBox(statement)
    case 'note':
      return drawNote(statement)
    case 'line':
      return drawLine(statement)
    case 'key':
      return drawKey(statement)
    default:
      throw refusal(statement, `unknown statement "${statement.words[0]}"`)
  }
}

function drawGroup(statement: Statement): string[] {
  const { x, y, width, height } = areaOf(statement, 1)
  const title = escaped(statement.words[5] ?? '')
  const [titleX = 0, titleY = 0] = numbersOf(statement, statement.words.slice(6, 8))
  return [
    `<rect class="group" x="${x}" y="${y}" width="${width}" height="${height}" rx="10"/>`,
    `<text class="name" x="${titleX}" y="${titleY}">${title}</text>`,
  ]
}

function drawBox(statement: Statement): string[] {
  const kind = kindOf(statement, boxKinds)
  const { x, y, width, height } = areaOf(statement, 2)
  const rows = [{ text: statement.words[6] ?? '', class: 'name' }, ...statement.body.map(rowOf)]
  const texts = rows.map((row, index) => {
    if (widthOf(row) > width - 16) throw refusal(statement, `"${row.text}" is wider than its box`)
    return `<text class="${row.class}" x="${x + 10}" y="${y + 20 + index * leading}">${escaped(row.text)}</text>`
  })
  if (20 + (rows.length - 1) * leading > height - 4)
    throw refusal(statement, `"${rows[0]?.text}" has more lines than its box holds`)
  return [
    `<rect class="box ${kind}" x="${x}" y="${y}" width="${width}" height="${height}" rx="8"/>`,
    ...texts,
  ]
}

function rowOf(text: string): { readonly text: string; readonly class: string } {
  return text.startsWith('! ') ? { text: text.slice(2), class: 'right' } : { text, class: 'text' }
}

function drawNote(statement: Statement): string[] {
  const [x = 0, y = 0] = numbersOf(statement, statement.words.slice(1, 3))
  const row = rowOf(statement.words[3] ?? '')
  return [
    `<text class="${row.class === 'right' ? 'right' : 'name'}" x="${x}" y="${y}">${escaped(row.text)}</text>`,
  ]
}

function drawLine(statement: Statement): string[] {
  const kind = kindOf(statement, lineKinds)
  const rest = statement.words.slice(2)
  const points = rest.filter(isPoint)
  const labels = rest.slice(points.length)
  if (points.length < 2) throw refusal(statement, 'a line needs two points')
  const path = points
    .map((point, index) => `${index === 0 ? 'M' : 'L'}${point.replace(',', ' ')}`)
    .join(' ')
  return [
    `<path class="line ${kind}" d="${path}" marker-end="url(#${kind})"/>`,
    ...labelsOf(statement, labels),
  ]
}

function labelsOf(statement: Statement, words: readonly string[]): string[] {
  if (words.length === 0) return []
  const [text = '', ...place] = words.slice(0, 3)
  const [x = 0, y = 0] = numbersOf(statement, place)
  return [
    `<text class="label" x="${x}" y="${y}">${escaped(text)}</text>`,
    ...labelsOf(statement, words.slice(3)),
  ]
}

function drawKey(statement: Statement): string[] {
  const [x = 0, y = 0] = numbersOf(statement, statement.words.slice(1, 3))
  const rows = [
    { kind: 'packets', text: 'packets and files' },
    { kind: 'control', text: 'documents and requests' },
  ]
  return [
    ...rows.flatMap(({ kind, text }, index) => [
      `<path class="line ${kind}" d="M${x} ${y + index * 24} L${x + 50} ${y + index * 24}" marker-end="url(#${kind})"/>`,
      `<text class="text" x="${x + 62}" y="${y + 4 + index * 24}">${text}</text>`,
    ]),
    `<text class="right" x="${x}" y="${y + 52}">In italics</text>`,
    `<text class="text" x="${x + 62}" y="${y + 52}">what the program or person may do</text>`,
  ]
}

function arrowHead(kind: string): string {
  return `<marker id="${kind}" viewBox="0 0 10 10" refX="9" refY="5" markerUnits="userSpaceOnUse" markerWidth="11" markerHeight="11" orient="auto"><path class="head ${kind}" d="M0 0 L10 5 L0 10 z"/></marker>`
}

function kindOf(statement: Statement, kinds: readonly string[]): string {
  const kind = statement.words[1] ?? ''
  if (!kinds.includes(kind))
    throw refusal(statement, `unknown kind "${kind}", expected one of ${kinds.join(', ')}`)
  return kind
}

function areaOf(statement: Statement, from: number): Area {
  const [x = 0, y = 0, width = 0, height = 0] = numbersOf(
    statement,
    statement.words.slice(from, from + 4),
  )
  return { x, y, width, height }
}

function numbersOf(statement: Statement, words: readonly string[]): number[] {
  for (const word of words)
    if (!/^\d+$/.test(word)) throw refusal(statement, `"${word}" is no number`)
  return words.map(Number)
}

function isPoint(word: string): boolean {
  return /^\d+,\d+$/.test(word)
}

/** A guess that is a little too wide for the usual sans-serif fonts. */
function widthOf(row: { readonly text: string; readonly class: string }): number {
  return row.text.length * (row.class === 'name' ? titleSize * 0.56 : textSize * 0.53)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function refusal({ number }: Statement, what: string): SyntaxError {
  return new SyntaxError(`Cannot draw the diagram: line ${number}: ${what}`)
}

const style = `
text { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif; font-size: ${textSize}px; fill: #24292f }
.name { font-size: ${titleSize}px; font-weight: 600 }
.right { font-style: italic; fill: #57606a }
.label { fill: #57606a; stroke: #ffffff; stroke-width: 5px; paint-order: stroke; stroke-linejoin: round }
.paper { fill: #ffffff }
.group { fill: #f6f8fa; stroke: #d0d7de }
.box { fill: #ffffff; stroke: #8c959f; stroke-width: 1.2 }
.person { fill: #fff8c5; stroke: #bf8700 }
.program, .frame { fill: #ddf4ff; stroke: #0969da }
.store { fill: #fbefff; stroke: #8250df }
.line { fill: none; stroke-width: 1.5; stroke: #57606a; stroke-linejoin: round }
.line.packets { stroke: #1a7f37; stroke-width: 3.5 }
.head { fill: #57606a }
.head.packets { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.right { fill: #a5b1bd }
.label { fill: #b1bac4; stroke: #0d1117 }
.paper { fill: #0d1117 }
.group { fill: #161b22; stroke: #3d444d }
.box { fill: #21262d; stroke: #6e7681 }
.person { fill: #3a2f0b; stroke: #bb8009 }
.program, .frame { fill: #0c2d4a; stroke: #388bfd }
.store { fill: #2f1f4a; stroke: #a371f7 }
.line { stroke: #9198a1 }
.line.packets { stroke: #3fb950 }
.head { fill: #9198a1 }
.head.packets { fill: #3fb950 }
}
`

if (import.meta.main) {
  const file = (name: string): URL => new URL(`../docs/${name}`, import.meta.url)
  writeFileSync(
    file('architecture.svg'),
    drawDiagram(readFileSync(file('architecture.diagram'), 'utf8')),
  )
}
