// One program under test: `selcap standalone`, or an agent with a real API server. In: documents,
// signals. Out: what it says of a capture, and its figures.
import { readdirSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { Namespace } from '../support/net/namespace.ts'
import type { Claim } from './audit.ts'

export type TargetName = 'standalone' | 'agent'

export type CaptureSpec = Readonly<Record<string, unknown>>

/** What a capture says of itself. */
export type CaptureClaim = {
  readonly uid: string // another one: another capture of that name
  readonly rows: ReadonlyMap<string, RowClaim>
}

/** `message`: what is wrong with it now. */
export type RowClaim = Claim & { readonly state: string; readonly message: string | undefined }

export interface Target {
  readonly name: TargetName
  readonly captures: string // its directory
  readonly host: Namespace
  readonly pid: number
  readonly isRunning: boolean
  start(): Promise<void>
  /** Resolves when it has ended. */
  end(signal: NodeJS.Signals): Promise<void>
  apply(name: string, spec: CaptureSpec): Promise<void>
  remove(name: string): Promise<void>
  /** By the capture's name; none of what it says nothing of, or if nothing can be asked. */
  claims(): Promise<ReadonlyMap<string, CaptureClaim>>
  /** The last lines of its log. */
  tail(lines?: number): string
  /** Where this can be had: nobody reads the log meanwhile, and there is no room in its pipe. */
  readonly blockLog?: (during: () => Promise<void>) => Promise<void>
  readonly interruptApiServer?: () => Promise<void>
  readonly resumeApiServer?: () => Promise<void>
  /** Adds so many milliseconds to the time of day that it sees. */
  setClock(offsetMs: number): void
  /** Where this can be had: from now on it cannot watch a directory, or can again. */
  useUpInotify?(isUsedUp: boolean): void
  /** Where this can be had: the pod's network namespace is another one under the same name. */
  showNamespace?(pod: string, namespace: Namespace): void
  /** Where this can be had: a manifest beside the others; without a text it goes. */
  readonly manifestBeside?: (text: string | undefined) => void
}

export const metricsPort = 9464

const priority = -10

/**
 * Drops are to be due to a fault, and not to a machine that has too much to do: all threads of the
 * program come before others.
 */
export function prefer(pid: number): void {
  for (const task of readdirSync(`/proc/${pid}/task`)) preferThread(Number(task))
}

function preferThread(task: number): void {
  try {
    setPriority(task, priority)
  } catch {
    // it has ended since it was listed
  }
}
