// A real OpenSSH server for tests: on a free port of the loopback, with a key and a user of its
// own, in namespaces of mounts and processes, so that it sees a password file of the test's and all
// of it ends at once. The machine's own files are not touched.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SftpTarget } from '../../../src/model/output.ts'
import type { Scope } from '../net/namespace.ts'
import { startServer, type TestServer } from './server.ts'

const user = 'uploader'
/** Words that nothing may show. */
export const password = 'canary-password-5521'
const passwordHash =
  '$6$selcaptest$PG913U64wWVU4o2KtvLgs7pyePwSW3oEqXhI7ljBE4ESuzCz8r75U2yA.gTrIDrpIz9rXJrxMyOnJewmzci1R/'

export type SftpServer = TestServer & {
  /** Where one gets to. */
  readonly files: string
  readonly secret: Readonly<Record<'sftp-username' | 'sftp-password' | 'sftp-known-hosts', string>>
  readonly privateKey: string
  /** As ssh-keygen prints it. */
  readonly fingerprint: () => string
  /** It has another key from its next start on. */
  readonly changeKey: () => void
}

const enter = `set -e
mount --bind "$0/passwd" /etc/passwd
mount --bind "$0/shadow" /etc/shadow
mount -t tmpfs tmpfs /run
mkdir -m 0755 /run/sshd
exec "$@"`

export async function startSftp(scope: Scope, directory?: string): Promise<SftpServer> {
  const server = await startServer(
    scope,
    (own, port) => ({ name: 'sshd', command: layOut(own, port) }),
    directory,
  )
  const publicKey = () =>
    readFileSync(join(server.directory, 'host.pub'), 'utf8').split(' ').slice(0, 2).join(' ')
  return Object.assign(server, {
    files: join(server.directory, 'files'),
    secret: {
      'sftp-username': user,
      'sftp-password': password,
      'sftp-known-hosts': `[127.0.0.1]:${server.port} ${publicKey()}\n`,
    },
    privateKey: readFileSync(join(server.directory, 'user'), 'utf8'),
    fingerprint: () =>
      execFileSync('ssh-keygen', ['-lf', join(server.directory, 'host.pub')], {
        encoding: 'utf8',
      }).split(' ')[1] ?? '',
    changeKey: () => makeKey(join(server.directory, 'host')),
  })
}

export function sftpTarget(port: number, rest: Partial<SftpTarget> = {}): SftpTarget {
  return { kind: 'sftp', host: '127.0.0.1', port, secretName: 'store-login', ...rest }
}

function layOut(own: string, port: number): string[] {
  for (const name of ['files', 'home']) mkdirSync(join(own, name), { recursive: true })
  for (const name of ['host', 'user']) makeKey(join(own, name))
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()]
  const known = readFileSync('/etc/passwd', 'utf8')
  writeFileSync(
    join(own, 'passwd'),
    `${user}:x:${uid}:${gid}::${join(own, 'home')}:/bin/sh\n${known}`,
  )
  writeFileSync(join(own, 'shadow'), `${user}:${passwordHash}:20000:0:99999:7:::\n`, {
    mode: 0o600,
  })
  copyFileSync(join(own, 'user.pub'), join(own, 'authorized_keys'))
  const config = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${join(own, 'host')}`,
    `AuthorizedKeysFile ${join(own, 'authorized_keys')}`,
    `Subsystem sftp internal-sftp -d ${join(own, 'files')}`,
    ...[
      'PidFile none',
      'UsePAM no',
      'StrictModes no',
      'PermitRootLogin yes',
      'PasswordAuthentication yes',
      'LogLevel VERBOSE',
    ],
  ]
  writeFileSync(join(own, 'config'), `${config.join('\n')}\n`)
  const sshd = ['/usr/sbin/sshd', '-D', '-e', '-f', join(own, 'config')]
  return ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', enter, own, ...sshd]
}

function makeKey(path: string): void {
  execFileSync('sh', ['-c', 'rm -f "$0" "$0.pub"; ssh-keygen -q -t ed25519 -N "" -f "$0"', path])
}
