// Resources of processes: memory without the rings, and idle CPU.
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { cpuMs } from './harness.ts'

const idleMs = 20_000

/** Of one core, over 20 s. */
export async function cpuPercent(pids: readonly number[]): Promise<number> {
  const beforeMs = pids.reduce((sum, pid) => sum + cpuMs(pid), 0)
  const startMs = performance.now()
  await setTimeout(idleMs)
  return (
    (100 * (pids.reduce((sum, pid) => sum + cpuMs(pid), 0) - beforeMs)) /
    (performance.now() - startMs)
  )
}

export type Use = { readonly rss: number; readonly pss: number; readonly rings: number }

type Mapping = { readonly isRing: boolean; readonly text: string }

function mappingsOf(pid: number): Mapping[] {
  const parts = readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
  return parts.map(text => ({ isRing: /^.*socket:\[\d+\]/.test(text), text }))
}

export function ringsOf(pid: number): number {
  return mappingsOf(pid).filter(({ isRing }) => isRing).length
}

/**
 * In KiB, over all the processes. `rings`: the size of their mappings, whose pages are not counted
 * in `rss` and `pss`.
 */
export function useOf(pids: readonly number[]): Use {
  const all = pids.flatMap(mappingsOf)
  const others = all.filter(({ isRing }) => !isRing)
  const rings = all.filter(({ isRing }) => isRing)
  return { rss: total(others, 'Rss'), pss: total(others, 'Pss'), rings: total(rings, 'Size') }
}

function total(mappings: readonly Mapping[], field: string): number {
  return mappings.reduce(
    (sum, { text }) => sum + Number(new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0),
    0,
  )
}

export function mib(kib: number): number {
  return Math.round((kib / 1024) * 10) / 10
}
