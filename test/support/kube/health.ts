// What generic tools make of objects: kstatus itself, and a Lua health script as Argo CD runs it.
//   const [{ kstatus, argo }] = healthOf([object], script)
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toolPath } from './tools.ts'

export type Health = { readonly kstatus: string; readonly argo: string; readonly message: string }

export function healthOf(objects: readonly object[], script: string): Health[] {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-health-'))
  const file = join(directory, 'health.lua')
  try {
    writeFileSync(file, script)
    const { status, stdout, stderr } = spawnSync(toolPath('health'), [file], {
      input: JSON.stringify(objects),
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`Cannot read the health of objects: ${stderr}`)
    return JSON.parse(stdout) as Health[]
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
