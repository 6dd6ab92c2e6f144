// The entry of the selector language. In: a text. Out: a selector, or a syntax error. The texts
// used last are cached, so each is parsed once. Independent of Kubernetes.
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
const remembered = 2_048
const recent = new Map<string, Parsed>()

export function parseSelector(text: string): Parsed {
  const known = recent.get(text)
  recent.delete(text)
  const parsed = known ?? parse(text)
  recent.set(text, parsed) // the most recently used
  for (const oldest of recent.keys()) {
    if (recent.size <= remembered) break
    recent.delete(oldest)
  }
  return parsed
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
