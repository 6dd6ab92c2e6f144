// A syntax error of a selector. The message equals the upstream parser's byte by byte, because
// users know it; the offset is added.

export class SelectorSyntaxError extends SyntaxError {
  override readonly name = 'SelectorSyntaxError'
  readonly text: string
  readonly offset: number // in UTF-16 units; the text's length at its end

  constructor(message: string, text: string, offset: number) {
    super(message)
    this.text = text
    this.offset = offset
  }

  /** 1-based. */
  get line(): number {
    return this.text.slice(0, this.offset).split('\n').length
  }

  /**
   * The message, the line in question and a caret under the place. Long lines are cut around it.
   */
  get display(): string {
    const start = this.text.lastIndexOf('\n', this.offset - 1) + 1
    const end = this.text.indexOf('\n', start)
    const line = this.text.slice(start, end === -1 ? undefined : end)
    const from = Math.max(0, this.offset - start - 60)
    const shown = line.slice(from, from + 100).replaceAll(/[\t\r]/g, ' ')
    return `${this.message}\n  ${shown}\n  ${' '.repeat(this.offset - start - from)}^`
  }
}
