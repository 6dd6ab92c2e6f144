// `selcap standalone` as a target: in a network namespace of its own, with its manifests and its
// status in the campaign's directory and its captures on a disk of their own.
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { FileStatus } from '../../src/model/status.ts'
import { readStatusDirectory } from '../../src/publish/statusDirectory.ts'
import { type Child, startChild } from '../support/kube/child.ts'
import type { Namespace, Scope } from '../support/net/namespace.ts'
import { run } from '../support/net/run.ts'
import { capture, selcap } from '../support/processes/standalone.ts'
import { claimOf } from './claim.ts'
import { type CaptureClaim, type CaptureSpec, metricsPort, prefer, type Target } from './target.ts'
import { writeClock, writeWhole } from './writeWhole.ts'

export type StandaloneEndpoint = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly interfaceName: string
}

export class StandaloneTarget implements Target {
  readonly name = 'standalone'
  readonly captures: string
  readonly host: Namespace
  readonly #root: string
  readonly #logReader: Child
  readonly #clockFile: string
  readonly #scope: Scope
  #child: Child | undefined

  private constructor(scope: Scope, root: string, host: Namespace, logReader: Child) {
    this.#scope = scope
    this.#root = root
    this.host = host
    this.captures = join(root, 'captures')
    this.#logReader = logReader
    this.#clockFile = join(root, 'clock')
    this.setClock(0)
    this.useUpInotify(false)
  }

  /** Its captures' directory is there, empty. It does not run yet. */
  static async make(
    scope: Scope,
    root: string,
    host: Namespace,
    {
      endpoints,
      settings,
    }: { readonly endpoints: readonly StandaloneEndpoint[]; readonly settings: object },
  ): Promise<StandaloneTarget> {
    for (const name of ['manifests', 'captures', 'status'])
      mkdirSync(join(root, name), { recursive: true })
    writeFileSync(join(root, 'config.yaml'), stringify(settings))
    const documents = endpoints.map(({ name, labels, interfaceName }) =>
      stringify({
        apiVersion: 'projectcalico.org/v3',
        kind: 'WorkloadEndpoint',
        metadata: { name, namespace: 'shop', labels },
        spec: { interfaceName },
      }),
    )
    writeFileSync(join(root, 'manifests', 'endpoints.yaml'), documents.join('---\n'))
    const pipe = join(root, 'log.pipe')
    await run('mkfifo', [pipe])
    // It holds both ends: the pipe never ends, whoever writes comes and goes.
    const reader = startChild('log reader', ['sh', '-c', `exec cat <>${pipe}`], {
      logFile: join(root, 'log'),
    })
    scope.teardown(() => reader.stop('SIGKILL'))
    return new StandaloneTarget(scope, root, host, reader)
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get isRunning(): boolean {
    return this.#child?.isRunning === true
  }

  async start(): Promise<void> {
    const directories = ['manifests', 'captures', 'status'].flatMap(name => [
      `--${name}`,
      join(this.#root, name),
    ])
    const options = ['--node', 'node-0', '--metrics-port', String(metricsPort)]
    const program = [selcap, 'standalone', ...options, ...directories]
    const config = ['--config', join(this.#root, 'config.yaml')]
    const within = ['nsenter', `--net=${this.host.path}`, 'sh', '-c', 'exec "$@" 2>"$0"']
    const child = startChild(
      'standalone',
      [...within, join(this.#root, 'log.pipe'), ...program, ...config],
      {
        logFile: join(this.#root, 'log'),
        env: {
          ...clockEnvironment(this.#clockFile),
          SELCAP_ENDURE_INOTIFY: join(this.#root, 'inotify'),
        },
      },
    )
    this.#child = child
    this.#scope.teardown(() => child.stop('SIGKILL'))
    const started = new RegExp(`"pid":${child.pid},.*"selcap started"`)
    await child.ready(async () => started.test(child.tail(10_000)))
    prefer(child.pid)
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    await this.#child?.stop(signal)
  }

  async apply(name: string, spec: CaptureSpec): Promise<void> {
    writeWhole(this.#manifest(name), stringify(capture(spec, name)))
  }

  async remove(name: string): Promise<void> {
    rmSync(this.#manifest(name), { force: true })
  }

  async claims(): Promise<ReadonlyMap<string, CaptureClaim>> {
    const all = await readStatusDirectory(join(this.#root, 'status'), () => {})
    const claims = new Map<string, CaptureClaim>()
    for (const { metadata, status } of all) {
      const file: FileStatus | undefined = status?.files[0]
      if (file) claims.set(metadata.name, claimOf(metadata.uid, file))
    }
    return claims
  }

  tail(lines?: number): string {
    return this.#child?.tail(lines) ?? ''
  }

  readonly blockLog = async (during: () => Promise<void>): Promise<void> => {
    process.kill(this.#logReader.pid, 'SIGSTOP')
    try {
      fillPipe(join(this.#root, 'log.pipe'))
      await during()
    } finally {
      process.kill(this.#logReader.pid, 'SIGCONT')
    }
  }

  setClock(offsetMs: number): void {
    writeClock(this.#clockFile, offsetMs)
  }

  useUpInotify(isUsedUp: boolean): void {
    writeWhole(join(this.#root, 'inotify'), isUsedUp ? 'used up' : '')
  }

  readonly manifestBeside = (text: string | undefined): void => {
    const path = this.#manifest('beside-others')
    if (text === undefined) rmSync(path, { force: true })
    else writeWhole(path, text)
  }

  #manifest(name: string): string {
    return join(this.#root, 'manifests', `${name}.yaml`)
  }
}

/** The environment of a program whose clock is moved by a file. */
export function clockEnvironment(clockFile: string): NodeJS.ProcessEnv {
  const hook = new URL('surroundingsHook.mjs', import.meta.url)
  return { ...process.env, NODE_OPTIONS: `--import=${hook.href}`, SELCAP_ENDURE_CLOCK: clockFile }
}

function fillPipe(path: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  try {
    for (let size = 4_096; size >= 1; size /= 4) while (wrote(fd, size));
  } finally {
    closeSync(fd)
  }
}

function wrote(fd: number, size: number): boolean {
  try {
    return writeSync(fd, Buffer.alloc(size, '\n')) > 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    return false
  }
}
