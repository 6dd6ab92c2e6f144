// The files that say who is who: tokens, the key that signs service accounts' tokens, kubeconfigs.
// No certificate is made here: the API server signs its own, which is the authority for all.
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const adminToken = 'admin-token'

/** The token of the kubelet of a node; the API server takes it for nodes named node-1 to node-9. */
export function kubeletToken(node: string): string {
  return `${node}-token`
}

/** `keyFile` signs, `publicFile` checks; `tokenFile` is for --token-auth-file. */
export type Credentials = {
  readonly tokenFile: string
  readonly keyFile: string
  readonly publicFile: string
}

export function writeCredentials(directory: string): Credentials {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  const files = {
    tokenFile: join(directory, 'tokens.csv'),
    keyFile: join(directory, 'accounts.key'),
    publicFile: join(directory, 'accounts.pub'),
  }
  const nodes = Array.from({ length: 9 }, (_, index) => `node-${index + 1}`)
  const rows = [
    `${adminToken},admin,admin,system:masters`,
    ...nodes.map(node => `${kubeletToken(node)},system:node:${node},${node},system:nodes`),
  ]
  writeFileSync(files.tokenFile, `${rows.join('\n')}\n`, { mode: 0o600 })
  writeFileSync(files.keyFile, privateKey, { mode: 0o600 })
  writeFileSync(files.publicFile, publicKey)
  return files
}

/** The text of a kubeconfig for one bearer token. */
export function kubeconfig(url: string, caFile: string, token: string): string {
  const name = 'selcap'
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: url, 'certificate-authority': caFile } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  })
}
