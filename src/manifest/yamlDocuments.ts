// Cuts a text into YAML documents, one at a time. In: the text. Out: each document, and what it
// costs is in proportion to its length: nesting and tokens are limited before a document is
// composed, and the one before is let go. Refuses the rest of the text after what is beyond them.
import { Composer, type Document, Lexer, type LineCounter, Parser } from 'yaml'

export type Refused = { readonly offset: number; readonly message: string }

// A manifest of selcap nests eight deep; the tree of a document takes about 1 KiB a token.
export const depthMax = 64
export const tokensMax = 250_000

// The package's own check of unique keys takes the square of their number: plainValue.ts checks.
// As for an API server's clients, `<<` merges and each key is a text.
const options = { uniqueKeys: false, merge: true, stringKeys: true, prettyErrors: false } as const

export function* yamlDocuments(
  text: string,
  lines: LineCounter,
): Generator<Document.Parsed | Refused> {
  const parser = new Parser(lines.addNewLine)
  const composer = new Composer(options)
  lines.addNewLine(0)
  let tokens = 0 // of the current document
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      if (token.type === 'document') tokens = 0
      yield* composer.next(token)
    }
    const beyond =
      parser.stack.length > depthMax + 2 // the document, and the scalar within
        ? `nested too deeply, expected at most ${depthMax} levels`
        : ++tokens > tokensMax
          ? `found more than ${tokensMax} tokens in one document, expected several documents or files`
          : undefined
    if (beyond === undefined) continue
    yield* composer.end() // the document before
    yield { offset: parser.offset, message: beyond }
    return
  }
  for (const token of parser.end()) yield* composer.next(token)
  yield* composer.end()
}
