// A synchronous call on a disk that does not answer stops a whole program. Which sources make such
// calls, and why they may: none of them waits for a disk that can stall after the start.
import test from 'ava'
import { read } from '../support/repository.ts'
import { under } from './tree.ts'

const allowed: Readonly<Record<string, string>> = {
  'src/artifacts/text/stdoutWriter.ts': 'a pipe of its own that is non-blocking',
  'src/driver/libpcap/pcapProcess.ts': 'a process of its own, into a pipe',
  'src/driver/libpcap/portableLinks.ts': '/proc and /sys',
  'src/kube/kubeconfig/connect.ts': "at the start, the pod's namespace",
  'src/kube/kubeconfig/credentials.ts': 'at the start, an authority for a plugin',
  'src/kube/kubeconfig/oidc.ts': "in a user's command, a kubeconfig",
  'src/kube/kubeconfig/transport.ts': 'at the start, certificates',
  'src/kube/serviceAccount.ts': 'at the start',
  'src/kubectl/client/gateway.ts': "in a user's command",
  'src/manifest/schema.ts': "at the start of the manifests' thread, selcap's own file",
  'src/runtime/atomicWrite.ts': "in a user's command, a kubeconfig",
  'src/runtime/logStream.ts': 'only where the descriptor is non-blocking',
  'src/tap/tapAhead.ts': '/dev/null',
}

const call = /\b(?!request)[a-z]\w*Sync\(/ // requestSync() of a controller asks for a turn

test('no source makes a synchronous call but those that wait for no disk', t => {
  const found = under('src').filter(file => file.endsWith('.ts') && call.test(read(file)))
  t.deepEqual(found.toSorted(), Object.keys(allowed).toSorted())
})
