// A certificate made by a process of its own. For agents: what it takes to make one, once, would stay with them and be a
// twentieth of an agent's memory. In: its common name. Out: a certificate without names, for clients that pin it.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Certificate } from './selfSignedCertificate.ts'

const program = fileURLToPath(new URL('certificateChild.ts', import.meta.url))
const run = promisify(execFile)

export async function makeCertificateInChild(commonName: string): Promise<Certificate> {
  const { stdout } = await run(process.execPath, ['--no-warnings', program, commonName])
  return JSON.parse(stdout) as Certificate
}
