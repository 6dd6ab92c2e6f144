// Converts Retina's options for tcpdump to flags, in its order. Pure. In: captureOption, with
// options as booleans or, where they exclude each other, as one word. Out: fixed flags, never a
// user's text. Throws RangeError that names options which exclude each other.

type Options = Readonly<Record<string, unknown>>
type Group = {
  readonly field: string
  readonly words: readonly (readonly [word: string, flag: string, boolean: string])[]
}

const captureFlags = [
  ['noPromiscuous', '-p'],
  ['packetBuffered', '-U'],
  ['immediateMode', '--immediate-mode'],
] as const
const simple = [
  ['noResolveDNS', '-n'],
  ['noResolvePort', '-nn'],
  ['printLinkHeader', '-e'],
  ['quietOutput', '-q'],
  ['absoluteSeq', '-S'],
  ['dontVerifyChecksum', '-K'],
] as const
const groups: readonly Group[] = [
  {
    field: 'verbosity',
    words: [
      ['verbose', '-v', 'verbose'],
      ['extra', '-vv', 'extraVerbose'],
      ['max', '-vvv', 'maxVerbose'],
    ],
  },
  {
    field: 'printDataFormat',
    words: [
      ['hex', '-x', 'printDataHex'],
      ['hex-with-link', '-xx', 'printDataHexLink'],
      ['ascii', '-A', 'printDataASCII'],
      ['ascii-with-link', '-AA', 'printDataASCIILink'],
    ],
  },
  {
    field: 'timestampFormat',
    words: [
      ['none', '-t', 'noTimestamp'],
      ['unformatted', '-tt', 'unformattedTimestamp'],
      ['delta', '-ttt', 'deltaTimestamp'],
      ['date', '-tttt', 'dateTimestamp'],
      ['delta-since-first', '-ttttt', 'deltaSinceFirst'],
    ],
  },
]

/**
 * `display`: flags of the text output; without one there is no text. `all`: also flags of how
 * tcpdump captures.
 */
export function displayFlags(options: Options): {
  readonly display: readonly string[]
  readonly all: readonly string[]
} {
  const chosen = (list: readonly (readonly [string, string])[]) =>
    list.filter(([field]) => options[field] === true).map(([, flag]) => flag)
  const display = [...chosen(simple), ...groups.flatMap(group => oneOf(group, options))]
  return { display, all: [...chosen(captureFlags), ...display] }
}

function oneOf({ field, words }: Group, options: Options): string[] {
  const given = options[field] ?? ''
  if (given !== '' && !words.some(([word]) => word === given))
    throw new RangeError(
      `captureOption.${field}: found ${JSON.stringify(given)}, expected ${words.map(([word]) => word).join(', ')}`,
    )
  const wanted = words.filter(([word, , boolean]) => given === word || options[boolean] === true)
  if (wanted.length > 1)
    throw new RangeError(
      `captureOption: found ${wanted.map(([word]) => word).join(' and ')} of ${field}, expected one of them`,
    )
  return wanted.map(([, flag]) => flag)
}
