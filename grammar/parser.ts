// Parses tokens. In: tokens. Out: a tree: `||` binds loosest, then `&&`, then `!`, which applies to
// one primary; chains are flat and brackets are kept. Refuses with SelectorSyntaxError in the
// upstream parser's words instead of Chevrotain's.
import {
  createToken,
  EmbeddedActionsParser,
  EOF,
  type IParserErrorMessageProvider,
  type IRecognitionException,
  type IToken,
  Lexer,
  type TokenType,
} from 'chevrotain'
import { SelectorSyntaxError } from './syntaxError.ts'
import * as tokens from './tokens.ts'
import { type Comparison, setOf, type Tree } from './tree.ts'

// A pair of brackets with its content, parsed already. In messages it is its opening bracket.
const Group = createToken({ name: 'TokLParen', pattern: Lexer.NA })

const comparisons: readonly (readonly [TokenType, Comparison])[] = [
  [tokens.Eq, 'eq'],
  [tokens.Ne, 'ne'],
  [tokens.Contains, 'contains'],
  [tokens.StartsWith, 'startsWith'],
  [tokens.EndsWith, 'endsWith'],
]

const expected = new Map<TokenType, string>([
  [tokens.StringLiteral, 'expected string'],
  [tokens.LBrace, 'expected set literal'],
  [tokens.RBrace, 'expected }'],
  [tokens.RParen, 'expected )'],
])

const upstreamWords: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected: wanted }) =>
    expected.get(wanted) ?? `expected ${wanted.name}`,
  buildNoViableAltMessage: ({ actual, ruleName }) => unexpected(actual[0], ruleName),
  buildNotAllInputParsedMessage: () => 'unexpected content at end of selector',
  buildEarlyExitMessage: () => 'unexpected content at end of selector',
}

function unexpected(token: IToken | undefined, ruleName: string): string {
  const found = token === undefined ? 'TokEOF()' : tokens.describe(token)
  if (ruleName !== 'labelled') return `unexpected token: ${found}`
  return token?.tokenType === EOF || token === undefined
    ? 'unexpected end of string looking for op'
    : `expected == or != not: ${found}`
}

class SelectorParser extends EmbeddedActionsParser {
  constructor() {
    super([...Object.values(tokens).filter(isTokenType), Group], {
      errorMessageProvider: upstreamWords,
      maxLookahead: 1,
      skipValidations: false,
    })
    this.performSelfAnalysis()
  }

  readonly disjunction = this.RULE('disjunction', (): Tree => {
    const operands: Tree[] = [this.SUBRULE(this.conjunction)]
    this.MANY(() => {
      this.CONSUME(tokens.Or)
      operands.push(this.SUBRULE2(this.conjunction))
    })
    return chain('or', operands)
  })

  readonly conjunction = this.RULE('conjunction', (): Tree => {
    const operands: Tree[] = [this.SUBRULE(this.operation)]
    this.MANY(() => {
      this.CONSUME(tokens.And)
      operands.push(this.SUBRULE2(this.operation))
    })
    return chain('and', operands)
  })

  readonly operation = this.RULE('operation', (): Tree => {
    let isNegated = false // a second `!` undoes the first
    this.MANY(() => {
      this.CONSUME(tokens.Not)
      isNegated = !isNegated
    })
    const operand = this.OR([
      { ALT: (): Tree => ({ kind: 'has', label: tokens.textOf(this.CONSUME(tokens.Has)) }) },
      { ALT: (): Tree => wordless('all', this.CONSUME(tokens.All)) },
      { ALT: (): Tree => wordless('global', this.CONSUME(tokens.Global)) },
      { ALT: (): Tree => this.SUBRULE(this.labelled) },
      { ALT: (): Tree => this.CONSUME(Group).payload as Tree },
    ])
    return isNegated ? { kind: 'not', operand } : operand
  })

  /** The content of brackets, with the closing one. */
  readonly bracketed = this.RULE('bracketed', (): Tree => {
    const inner = this.SUBRULE(this.disjunction)
    this.CONSUME(tokens.RParen)
    return inner
  })

  readonly labelled = this.RULE('labelled', (): Tree => {
    const label = tokens.textOf(this.CONSUME(tokens.Label))
    return this.OR([
      ...comparisons.map(([operator, kind], index) => ({
        ALT: (): Tree => {
          this.consume(index, operator)
          return { kind, label, value: tokens.textOf(this.consume(index, tokens.StringLiteral)) }
        },
      })),
      {
        ALT: (): Tree => {
          this.CONSUME(tokens.In)
          return { kind: 'in', label, values: this.SUBRULE1(this.set) }
        },
      },
      {
        ALT: (): Tree => {
          this.CONSUME(tokens.NotIn)
          return { kind: 'notIn', label, values: this.SUBRULE2(this.set) }
        },
      },
    ])
  })

  readonly set = this.RULE('set', (): string[] => {
    const values: string[] = []
    let mayGoOn = true // a comma after the last value is allowed
    this.CONSUME(tokens.LBrace)
    this.MANY({
      GATE: () => mayGoOn,
      DEF: () => {
        values.push(tokens.textOf(this.CONSUME(tokens.StringLiteral)))
        mayGoOn = this.OPTION(() => this.CONSUME(tokens.Comma)) !== undefined
      },
    })
    this.CONSUME(tokens.RBrace)
    return setOf(values)
  })
}

const parser = new SelectorParser()

/**
 * Throws SelectorSyntaxError, the first by place. `text` is for its message; no tokens mean
 * everything.
 */
export function parseTokens(input: readonly IToken[], text: string): Tree {
  if (input.length === 0) return { kind: 'all' }
  const errors: SelectorSyntaxError[] = []
  const parse = (slice: IToken[], isBracketed: boolean): Tree => {
    parser.input = slice
    const tree = isBracketed ? parser.bracketed() : parser.disjunction()
    const [error] = parser.errors
    if (error)
      errors.push(
        new SelectorSyntaxError(messageOf(error, input), text, offsetOf(error.token, text)),
      )
    return error ? { kind: 'all' } : tree
  }
  const tree = parse(
    withGroups(input, slice => parse(slice, true)),
    false,
  )
  const [first] = errors.toSorted((a, b) => a.offset - b.offset)
  if (first) throw first
  return tree
}

// Parses brackets from the inside out, each pair as one token of the expression around it: depth
// needs no stack.
function withGroups(input: readonly IToken[], parse: (slice: IToken[]) => Tree): IToken[] {
  const open: { readonly bracket: IToken; readonly slice: IToken[] }[] = []
  const top: IToken[] = []
  const close = () => {
    const closed = open.pop()
    if (closed)
      (open.at(-1)?.slice ?? top).push({
        ...closed.bracket,
        tokenType: Group,
        tokenTypeIdx: Group.tokenTypeIdx ?? 0,
        payload: parse(closed.slice),
      })
  }
  for (const token of input) {
    if (token.tokenType === tokens.LParen) {
      open.push({ bracket: token, slice: [] })
      continue
    }
    const isClosing = token.tokenType === tokens.RParen && open.length > 0
    ;(open.at(-1)?.slice ?? top).push(token)
    if (isClosing) close()
  }
  while (open.length > 0) close() // never closed: the slice has no end
  return top
}

function messageOf(
  { name, message, token }: IRecognitionException,
  input: readonly IToken[],
): string {
  if (name !== 'NotAllInputParsedException') return message
  const from = input.findIndex(({ startOffset }) => startOffset === token.startOffset)
  return `${message} [${[...input.slice(from).map(tokens.describe), 'TokEOF()'].join(' ')}]`
}

function offsetOf({ tokenType, startOffset }: IToken, text: string): number {
  return tokenType === EOF ? text.length : startOffset
}

function chain(kind: 'and' | 'or', operands: readonly Tree[]): Tree {
  const [first] = operands
  return operands.length === 1 && first ? first : { kind, operands }
}

function isTokenType(value: unknown): value is TokenType {
  return typeof value === 'object' && value !== null && 'tokenTypeIdx' in value
}

/** A token without a value. */
function wordless(kind: 'all' | 'global', _token: IToken): Tree {
  return { kind }
}
