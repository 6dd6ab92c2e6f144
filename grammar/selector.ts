// The entry of the selector language. In: a text. Out: a selector, or a syntax error. The texts
// used last are cached, within a limit of characters: a selector takes about twelve bytes for each.
// Independent of Kubernetes.
import { compile, type Matcher } from './compile.ts'
import { parseTokens } from './parser.ts'
import { print, uniqueId } from './print.ts'
import { SelectorSyntaxError } from './syntaxError.ts'
import { LParen, RParen, tokenize } from './tokens.ts'
import type { Tree } from './tree.ts'

export type Selector = {
  readonly text: string
  readonly tree: Tree
  readonly canonical: string
  readonly uniqueId: string
  readonly matches: Matcher
}

export type Parsed =
  | { readonly ok: true; readonly selector: Selector }
  | { readonly ok: false; readonly error: SelectorSyntaxError }

const textBytesMax = 65_536
const depthMax = 500 // of brackets; a recursive parser must stop before the stack overflows

export class SelectorCache {
  readonly #charactersMax: number
  readonly #recent = new Map<string, Parsed>()
  #characters = 0

  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax
  }

  /** Of the selectors that are cached. */
  get characters(): number {
    return this.#characters
  }

  parse(text: string): Parsed {
    const known = this.#recent.get(text)
    const parsed = known ?? parse(text)
    if (known === undefined) this.#characters += costOf(text)
    this.#recent.delete(text)
    this.#recent.set(text, parsed) // the most recently used
    for (const oldest of this.#recent.keys()) {
      if (this.#characters <= this.#charactersMax) break
      this.#recent.delete(oldest)
      this.#characters -= costOf(oldest)
    }
    return parsed
  }
}

const cache = new SelectorCache(2_097_152)

export function parseSelector(text: string): Parsed {
  return cache.parse(text)
}

/** An entry of a short text costs more than its characters. */
function costOf(text: string): number {
  return 200 + text.length
}

/** Ignores white space around the text; a text that does not parse is returned trimmed. */
export function normalise(text: string): string {
  const parsed = parseSelector(text.trim())
  return parsed.ok ? parsed.selector.canonical : text.trim()
}

function parse(text: string): Parsed {
  try {
    return { ok: true, selector: toSelector(text, parseTree(text)) }
  } catch (error) {
    if (error instanceof SelectorSyntaxError) return { ok: false, error }
    throw error
  }
}

function toSelector(text: string, tree: Tree): Selector {
  const canonical = print(tree)
  return { text, tree, canonical, uniqueId: uniqueId(canonical), matches: compile(tree) }
}

function parseTree(text: string): Tree {
  const bytes = Buffer.byteLength(text)
  if (bytes > textBytesMax)
    throw new SelectorSyntaxError(
      `selector too long: ${bytes} bytes, expected at most ${textBytesMax}`,
      text,
      textBytesMax,
    )
  const tokens = tokenize(text)
  let depth = 0 // of open brackets
  for (const token of tokens) {
    if (token.tokenType === LParen) depth++
    if (token.tokenType === RParen) depth--
    if (depth > depthMax)
      throw new SelectorSyntaxError(
        `selector nested too deeply: expected at most ${depthMax} open parentheses`,
        text,
        token.startOffset,
      )
  }
  return parseTokens(tokens, text)
}
