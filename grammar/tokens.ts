// The tokens of the selector language. In: the text. Out: tokens. A word is an operator only after
// a label, so the patterns of operators read the token before, which Chevrotain passes. Refuses
// with the first lexical error, before any grammatical one, because the whole text is read first.
import {
  type CustomPatternMatcherReturn,
  createToken,
  EOF,
  type IToken,
  Lexer,
  type TokenType,
} from 'chevrotain'
import { SelectorSyntaxError } from './syntaxError.ts'

const labelBytesMax = 512

type Match = CustomPatternMatcherReturn | null
type Pattern = (text: string, offset: number, before: readonly IToken[]) => Match

const spaces = /[ \t]*/y
const word = /[A-Za-z0-9_./-]*/y

/** Token kinds by the names that error messages use. */
export const Blank = createToken({ name: 'Blank', pattern: /[ \t]+/, group: Lexer.SKIPPED })
export const LParen = createToken({ name: 'TokLParen', pattern: '(' })
export const RParen = createToken({ name: 'TokRParen', pattern: ')' })
export const LBrace = createToken({ name: 'TokLBrace', pattern: '{' })
export const RBrace = createToken({ name: 'TokRBrace', pattern: '}' })
export const Comma = createToken({ name: 'TokComma', pattern: ',' })
export const StringLiteral = custom('TokStringLiteral', ['"', "'"], readString)
export const Eq = custom('TokEq', ['='], doubled('='))
export const Ne = createToken({ name: 'TokNe', pattern: '!=' })
export const Not = createToken({ name: 'TokNot', pattern: '!' })
export const And = custom('TokAnd', ['&'], doubled('&'))
export const Or = custom('TokOr', ['|'], doubled('|'))
export const Contains = custom('TokContains', ['c'], operator(['contains']))
export const StartsWith = custom('TokStartsWith', ['s'], operator(['starts', 'with']))
export const EndsWith = custom('TokEndsWith', ['e'], operator(['ends', 'with']))
export const NotIn = custom('TokNotIn', ['n'], operator(['not', 'in']))
export const In = custom('TokIn', ['i'], operator(['in']))
export const Has = custom('TokHas', ['h'], readHas)
export const All = custom('TokAll', ['a'], call('all('))
export const Global = custom('TokGlobal', ['g'], call('global('))
export const Label = custom('TokLabel', undefined, readLabel)

const tokenTypes = [
  Blank,
  LParen,
  RParen,
  LBrace,
  RBrace,
  Comma,
  StringLiteral,
  Eq,
  Ne,
  Not,
  And,
  Or,
  Contains,
  StartsWith,
  EndsWith,
  NotIn,
  In,
  Has,
  All,
  Global,
  Label,
]

const lexer = new Lexer(tokenTypes, {
  positionTracking: 'onlyOffset',
  lineTerminatorsPattern: /\n/g,
  lineTerminatorCharacters: ['\n'],
})

/** Throws SelectorSyntaxError. */
export function tokenize(text: string): IToken[] {
  return lexer.tokenize(text).tokens
}

/** A token in error messages: its kind and, for labels and literals, its value. */
export function describe(token: IToken): string {
  return token.tokenType === EOF ? 'TokEOF()' : `${token.tokenType.name}(${textOf(token)})`
}

/** The label or literal that a token carries, '' for all others. */
export function textOf(token: IToken): string {
  return typeof token.payload === 'string' ? token.payload : ''
}

function custom(name: string, firstCharacters: string[] | undefined, pattern: Pattern): TokenType {
  const exec: Pattern = (text, offset, before) =>
    firstCharacters === undefined || firstCharacters.includes(text.charAt(offset))
      ? pattern(text, offset, before)
      : null
  return createToken({
    name,
    pattern: { exec },
    line_breaks: name === 'TokStringLiteral',
    ...(firstCharacters && { start_chars_hint: firstCharacters }),
  })
}

function take(text: string, from: number, to: number, payload?: string): Match {
  const match: CustomPatternMatcherReturn = [text.slice(from, to)]
  if (payload !== undefined) match.payload = payload
  return match
}

function after(pattern: RegExp, text: string, offset: number): number {
  pattern.lastIndex = offset
  pattern.test(text)
  return pattern.lastIndex
}

function readString(text: string, offset: number): Match {
  const end = text.indexOf(text.charAt(offset), offset + 1)
  if (end === -1) throw new SelectorSyntaxError('unterminated string', text, offset)
  return take(text, offset, end + 1, text.slice(offset + 1, end))
}

function doubled(character: string): Pattern {
  return (text, offset) => {
    if (!text.startsWith(character + character, offset))
      throw new SelectorSyntaxError(`expected ${character}${character}`, text, offset)
    return take(text, offset, offset + 2)
  }
}

// The words of an operator may be joined or separated. After the second of two words, blanks are
// skipped before the end of the word is checked: `a not in b` is no operator, `a in b` is one.
function operator(words: readonly string[]): Pattern {
  return (text, offset, before) => {
    if (before.at(-1)?.tokenType !== Label) return null
    let end = offset // advances word by word
    for (const each of words) {
      if (!text.startsWith(each, end)) return null
      end += each.length
      if (words.length > 1) end = after(spaces, text, end)
    }
    return after(word, text, end) === end ? take(text, offset, end) : null
  }
}

function call(opening: string): Pattern {
  return (text, offset, before) => {
    if (before.at(-1)?.tokenType === Label || !text.startsWith(opening, offset)) return null
    return take(text, offset, close(opening, text, after(spaces, text, offset + opening.length)))
  }
}

function readHas(text: string, offset: number, before: readonly IToken[]): Match {
  if (before.at(-1)?.tokenType === Label || !text.startsWith('has(', offset)) return null
  const start = after(spaces, text, offset + 4)
  const label = readIdentifier(text, start)
  return take(text, offset, close('has(', text, after(spaces, text, start + label.length)), label)
}

function close(opening: string, text: string, offset: number): number {
  if (text.charAt(offset) !== ')')
    throw new SelectorSyntaxError(`no closing ')' after ${opening}`, text, offset)
  return offset + 1
}

function readLabel(text: string, offset: number, before: readonly IToken[]): Match {
  const previous = before.at(-1)
  if (previous?.tokenType === Label)
    throw new SelectorSyntaxError(
      `expected operator after label "${textOf(previous)}"`,
      text,
      offset,
    )
  const label = readIdentifier(text, offset)
  return take(text, offset, offset + label.length, label)
}

function readIdentifier(text: string, offset: number): string {
  const label = text.slice(offset, after(word, text, offset))
  if (label === '') throw new SelectorSyntaxError('expected identifier', text, offset)
  if (label.length > labelBytesMax)
    throw new SelectorSyntaxError(`label too long: ${label}`, text, offset)
  return label
}
