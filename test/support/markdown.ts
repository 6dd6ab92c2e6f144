// What a document tells its reader to type: the lines of its command blocks, and the commands among
// its code spans.

export type Block = { readonly language: string; readonly text: string }

export function blocksOf(markdown: string): Block[] {
  return Array.from(
    markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm),
    ([, language = '', text = '']) => ({ language, text }),
  )
}

/**
 * Of blocks in `sh`: a command a line, without comments; a line that ends with a backslash goes on
 * in the next.
 */
export function commandsOf(markdown: string): string[] {
  return blocksOf(markdown)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.replaceAll(/\\\n\s*/g, '').split('\n'))
    .map(line => line.replace(/(^|\s+)#\s.*$/, '').trim())
    .filter(line => line !== '')
}

const spoken =
  /^(?:(?:sudo|npm|npx|node|bin\/selcap|selcap|ip|tcpdump|tshark|setcap|sysctl|kubectl|curl|GET|sh|cp|mkdir)(?: |$)|--\w)/

/** Code spans in running text that read like a command, a request or an option. */
export function spokenCommandsOf(markdown: string): string[] {
  const text = markdown.replaceAll(/^```[\s\S]*?^```$/gm, '')
  const spans = Array.from(text.matchAll(/`([^`\n]+)`/g), ([, span = '']) => span)
  return [...new Set(spans.filter(span => spoken.test(span)))]
}

/** A section of that heading (##), up to the next one. */
export function sectionOf(text: string, heading: string): string {
  const [, rest = ''] = text.split(`\n## ${heading}\n`)
  const end = rest.search(/^## /m)
  return end === -1 ? rest : rest.slice(0, end)
}

export function withoutSection(text: string, heading: string): string {
  return text.replace(sectionOf(text, heading), '')
}
