// `selcap standalone` with two captures of the same packets, as the tests of disks need it, and
// looks at their status.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { PacketCaptureSpec } from '../../../src/model/packetCaptureSpec.ts'
import { podWithPort } from '../net/podWithPort.ts'
import { mountDisk } from '../net/smallDisk.ts'
import { until } from '../until.ts'
import { capture, endpoint, Standalone } from './standalone.ts'

/**
 * Two captures of the same packets; by name the younger one comes first. A disk of its own for the
 * captures, or for all of it.
 */
export async function twoCaptures(
  t: ExecutionContext,
  settings: object = {},
  disk?: { readonly of: 'captures' | 'all'; readonly kibibytes: number },
) {
  const [{ pod, sender, port }, app] = [await podWithPort(t), new Standalone(t)]
  if (disk)
    await mountDisk(t, disk.of === 'all' ? app.root : join(app.root, 'captures'), disk.kibibytes)
  for (const name of ['manifests', 'captures', 'status'])
    mkdirSync(join(app.root, name), { recursive: true })
  const config = join(app.root, 'config.yaml')
  writeFileSync(config, JSON.stringify(settings))
  app.write('endpoints.yaml', endpoint(pod.hostName))
  app.write('old.yaml', createdAt('2026-01-01T00:00:00Z', 'old'))
  app.write('new.yaml', createdAt('2026-01-02T00:00:00Z', 'new'))
  const send = (count: number) => sender.udp({ to: pod.hostAddress, port, count, bytes: 1_000 })
  return {
    app,
    captures: join(app.root, 'captures'),
    start: async (state = 'WaitingForTraffic') => {
      app.log.length = 0
      await app.start([], ['--config', config])
      // The status may still be that of the run before.
      const opened = () => app.log.filter(line => line.includes('"opening tap"')).length
      await until('both taps', () => opened() >= 2)
      for (const name of ['old', 'new']) await app.reaches(state, name)
    },
    send,
    /** Sends, and waits until both have so many in all. */
    captured: async (count: number, all = count) => {
      await send(count)
      for (const name of ['old', 'new']) await app.counts(all, name)
    },
  }
}

export function createdAt(
  creationTimestamp: string,
  name: string,
  spec: PacketCaptureSpec = {},
): object {
  return { ...capture(spec, name), metadata: { name, namespace: 'shop', creationTimestamp } }
}

export function message(app: Standalone, name: string): string {
  return app.status(name)?.status?.files[0]?.message ?? ''
}

export function packets(app: Standalone, name: string): number {
  return app.status(name)?.status?.packets ?? -1
}

export function degraded(app: Standalone, name: string): string {
  const { status, reason } =
    app.status(name)?.status?.conditions.find(({ type }) => type === 'Degraded') ?? {}
  return `${status} ${reason}`
}
