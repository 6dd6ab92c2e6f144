// A directory for a test, written to as people and programs do it: in place, atomically, as a
// ConfigMap's volume.
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Logger, makeLogger } from '../../src/runtime/log.ts'
import type { Scope } from './net/namespace.ts'

export type LogLine = Readonly<Record<string, unknown>> & {
  readonly level: string
  readonly msg: string
}

export class Directory {
  readonly path: string
  #version = 0

  constructor(scope: Scope) {
    this.path = mkdtempSync(join(tmpdir(), 'selcap-directory-'))
    scope.teardown(() => rmSync(this.path, { recursive: true, force: true }))
  }

  in(...names: readonly string[]): string {
    return join(this.path, ...names)
  }

  write(name: string, text: string): string {
    writeFileSync(this.in(name), text)
    return this.in(name)
  }

  replace(name: string, text: string): void {
    renameSync(this.write(`.${name}.new`, text), this.in(name))
  }

  /**
   * As the kubelet does: a new directory, the link to it moved, the old one removed. The first time
   * links the files too.
   */
  mountConfigMap(files: Readonly<Record<string, string>>): void {
    const before = `..${this.#version++}`
    const now = `..${this.#version}`
    mkdirSync(this.in(now))
    for (const [name, text] of Object.entries(files)) writeFileSync(this.in(now, name), text)
    symlinkSync(now, this.in('..data_tmp'))
    renameSync(this.in('..data_tmp'), this.in('..data'))
    if (this.#version === 1)
      for (const name of Object.keys(files)) symlinkSync(`..data/${name}`, this.in(name))
    else rmSync(this.in(before), { recursive: true })
  }

  /** A logger, and what it has said. */
  logger(level = 'debug'): { readonly log: Logger; readonly lines: () => LogLine[] } {
    const file = this.in('.log')
    return {
      log: makeLogger(level, file),
      lines: () =>
        readFileSync(file, 'utf8')
          .split('\n')
          .filter(line => line !== '')
          .map(line => JSON.parse(line) as LogLine),
    }
  }
}

export function captureText(name: string, spec = '{selector: all()}'): string {
  return `apiVersion: projectcalico.org/v3\nkind: PacketCapture\nmetadata: {name: ${name}, namespace: shop}\nspec: ${spec}\n`
}

export function captureTexts(...names: readonly string[]): string {
  return names.map(name => captureText(name)).join('---\n')
}
