// Makes a certificate in a child process. In: its common name. Out: a certificate without names,
// for clients that pin it. For agents: the modules that make a certificate would stay loaded, a
// twentieth of an agent's memory.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Certificate } from './selfSignedCertificate.ts'

const program = fileURLToPath(new URL('certificateProcess.ts', import.meta.url))
const run = promisify(execFile)

export async function makeCertificateInChild(commonName: string): Promise<Certificate> {
  const { stdout } = await run(process.execPath, ['--no-warnings', program, commonName])
  return JSON.parse(stdout) as Certificate
}
