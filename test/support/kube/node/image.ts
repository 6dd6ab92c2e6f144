// Images without a registry: a docker-archive with one layer, made from files of this machine, for
// `ctr images import`. In: a name, what to put where, and how to start it. Out: the archive's path,
// in a directory of the caller's.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export type ImageSpec = {
  /** With a host part and a tag: selcap.test/agent:1 */
  readonly name: string
  /** Path in the image → file or directory here. Symbolic links are followed. */
  readonly files: Readonly<Record<string, string>>
  /** Path in the image → what the link says. */
  readonly links?: Readonly<Record<string, string>>
  readonly directories?: readonly string[]
  readonly entrypoint: readonly string[]
  readonly env?: readonly string[]
  readonly user?: string
}

export function makeImage(directory: string, spec: ImageSpec): string {
  const folder = mkdtempSync(join(directory, 'image-'))
  const tree = join(folder, 'tree')
  mkdirSync(tree)
  for (const path of spec.directories ?? []) mkdirSync(join(tree, path), { recursive: true })
  for (const [to, from] of Object.entries(spec.files)) copy(from, join(tree, to))
  for (const [to, target] of Object.entries(spec.links ?? {}))
    symlinkSync(target, parent(join(tree, to)))
  const layer = join(folder, 'layer.tar')
  tar(tree, layer, ['.'])
  const { entrypoint, env = [], user = '' } = spec
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: {
        Entrypoint: entrypoint,
        Env: ['PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', ...env],
        User: user,
      },
      rootfs: {
        type: 'layers',
        diff_ids: [`sha256:${createHash('sha256').update(readFileSync(layer)).digest('hex')}`],
      },
    }),
  )
  writeFileSync(
    join(folder, 'manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: [spec.name], Layers: ['layer.tar'] }]),
  )
  const archive = `${folder}.tar`
  tar(folder, archive, ['manifest.json', 'config.json', 'layer.tar'])
  return archive
}

/** The container that holds a pod's namespaces: a program that only waits. */
export function pauseImage(directory: string): string {
  const source = join(directory, 'pause.c')
  writeFileSync(
    source,
    '#include <signal.h>\n#include <stdlib.h>\n#include <unistd.h>\nint main(void) { signal(SIGTERM, exit); for (;;) pause(); }\n',
  )
  execFileSync('gcc', ['-static', '-Os', '-s', '-o', join(directory, 'pause'), source])
  return makeImage(directory, {
    name: pauseName,
    files: { '/pause': join(directory, 'pause') },
    entrypoint: ['/pause'],
  })
}

export const pauseName = 'selcap.test/pause:1'

/** A shell with the usual small programs: httpd, wget, nc, ip. */
export function busyboxImage(directory: string): string {
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .filter(name => name !== 'busybox')
  return makeImage(directory, {
    name: busyboxName,
    files: { '/bin/busybox': '/bin/busybox' },
    links: Object.fromEntries(applets.map(name => [`/bin/${name}`, 'busybox'])),
    directories: ['/etc', '/tmp', '/www'],
    entrypoint: ['/bin/sh'],
  })
}

export const busyboxName = 'selcap.test/busybox:1'

function copy(from: string, to: string): void {
  cpSync(from, parent(to), { recursive: true, dereference: true, preserveTimestamps: true })
}

function parent(path: string): string {
  mkdirSync(dirname(path), { recursive: true })
  return path
}

function tar(from: string, to: string, names: readonly string[]): void {
  execFileSync('tar', [
    '--create',
    '--file',
    to,
    '--directory',
    from,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    ...names,
  ])
}
