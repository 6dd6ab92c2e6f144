// What the tests of listWatch.ts have in common: one API server for a file, a proxy and a ListWatch
// for a test, and waiting until the copy is what the server has. Config maps stand for objects in
// general.
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Informer, type InformerOptions, type KubeObject } from '../../../src/kube/informer.ts'
import { type Clock, systemClock } from '../../../src/runtime/clock.ts'
import type { Scope } from '../net/namespace.ts'
import { root } from '../repository.ts'
import { until } from '../until.ts'
import { type ApiServer, startApiServer } from './apiServer.ts'
import { type ApiProxy, startProxy } from './proxy.ts'

export type Item = KubeObject & {
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: Readonly<Record<string, unknown>>
}

export const everything = '/api/v1/configmaps'
export const captures = '/apis/projectcalico.org/v3/packetcaptures'

/** The API server of a test file, with what `prepare` puts there. */
export function useApiServer(
  prepare: (api: ApiServer) => Promise<void> = async () => {},
): () => ApiServer {
  let api: ApiServer | undefined
  test.before(async () => {
    api = await startApiServer()
    await prepare(api)
  })
  test.after.always(() => api?.stop())
  return () => {
    if (!api) throw new Error('Cannot test: no API server was started')
    return api
  }
}

export type Scene = {
  readonly proxy: ApiProxy
  readonly watch: Informer<Item>
  readonly states: string[] // "failed …", "listed …"
  readonly waits: number[] // how long it wanted to wait before it asked again
  readonly changes: () => number
}

/** A ListWatch behind a proxy, listed and watching. */
export async function watching(
  t: ExecutionContext,
  api: ApiServer,
  options: Partial<InformerOptions<Item>> = {},
): Promise<Scene> {
  const scene = await unstarted(t, api, options)
  scene.watch.start()
  await until('the watch', () => scene.states.some(state => state.startsWith('watching')))
  return scene
}

export async function unstarted(
  scope: Scope,
  api: ApiServer,
  options: Partial<InformerOptions<Item>> = {},
): Promise<Scene> {
  const proxy = await startProxy(scope, api)
  const states: string[] = []
  const onState = (state: string, detail: string) => void states.push(`${state} ${detail}`)
  const waits: number[] = []
  const watch = new Informer<Item>({
    kube: proxy.kube(),
    clock: hurriedClock(waits),
    path: everything,
    onState,
    ...options,
  })
  scope.teardown(() => watch[Symbol.asyncDispose]())
  const counter = { changes: 0 }
  watch.onChange(() => counter.changes++)
  return { proxy, watch, states, waits, changes: () => counter.changes }
}

/** Sleeps a twentieth of what it is asked for, half a second at most, and notes what that was. */
export function hurriedClock(waits: number[] = []): Clock {
  return {
    now: () => 0,
    sleepUntil(atMs, signal) {
      waits.push(atMs)
      return systemClock.sleepUntil(systemClock.now() + Math.min(500, atMs / 20), signal)
    },
  }
}

/** Name and version of each, in order. */
export function inOrder(items: Iterable<KubeObject>): string[] {
  return Array.from(
    items,
    ({ metadata }) =>
      `${metadata.namespace}/${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`,
  ).toSorted()
}

export async function truth(api: ApiServer, path = everything): Promise<string[]> {
  return inOrder(
    (
      JSON.parse(await api.kubectl('get', '--raw', path)) as {
        readonly items: readonly KubeObject[]
      }
    ).items,
  )
}

/**
 * Resolves when the copy is what the server has: the same objects, none lost, none twice, each in
 * its last version.
 */
export async function untilTrue(
  { watch }: Scene,
  api: ApiServer,
  path = everything,
): Promise<void> {
  await until(
    'the copy to be right',
    async () => String(inOrder(watch.objects.values())) === String(await truth(api, path)),
  )
}

export async function apply(api: ApiServer, ...documents: readonly object[]): Promise<void> {
  const input = documents.map(document => JSON.stringify(document)).join('\n---\n')
  const { code, err } = await api.ask(['apply', '--server-side', '-f', '-'], { input })
  if (code !== 0) throw new Error(`Cannot apply: ${err}`)
}

export function configMap(name: string, value = 'x'): object {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data: { value },
  }
}

/** The PacketCapture of crds/, served. */
export async function installPacketCapture(api: ApiServer): Promise<void> {
  await api.kubectl('apply', '--server-side', '-f', join(root, 'crds', 'packetcapture.yaml'))
  await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
}

export function capture(name: string, selector: string): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name, namespace: 'default' },
    spec: { selector },
  }
}
