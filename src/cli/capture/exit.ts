// How the commands of `kubectl capture` end when they could not do what was asked: a message, and an exit code that a script
// can rely on. docs/kubectl-capture.md and --help tell the codes.

export const exitCodes = {
  failed: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  conflict: 5,
  captureError: 6,
  timeout: 7,
  incomplete: 8,
} as const

export type ExitReason = keyof typeof exitCodes

const meanings: Readonly<Record<ExitReason, string>> = {
  failed: 'the API server or the gateway cannot be reached, or refused for another reason',
  usage: 'wrong usage, or a capture that would be refused: a selector that does not parse, for example',
  notFound: 'no capture, pod, deployment or service of that name',
  notAllowed: 'the right is missing; the message names it',
  conflict: 'it exists already, or is still capturing',
  captureError: 'the capture is in the state Error',
  timeout: 'what was waited for has not come',
  incomplete: "a node's files are missing, or a checksum does not fit",
}

export const exitHelp = `
Exit codes: 0 done
${Object.entries(exitCodes)
  .map(([reason, code]) => `  ${code}  ${meanings[reason as ExitReason]}`)
  .join('\n')}
  130  interrupted`

/** Printed without a stack. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly exitCode: number

  constructor(reason: ExitReason, message: string, cause?: unknown) {
    super(message, { cause })
    this.exitCode = exitCodes[reason]
  }
}
