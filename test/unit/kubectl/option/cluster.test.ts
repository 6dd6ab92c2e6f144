// The connection flags: how their text is read, and how another kubectl is given the same.
import test from 'ava'
import { Command } from 'commander'
import {
  type ClusterOptions,
  kubectlFlags,
  withCluster,
} from '../../../../src/kubectl/option/cluster.ts'

function read(...flags: readonly string[]): ClusterOptions {
  const command = withCluster(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  return command.parse(flags, { from: 'user' }).opts()
}

test('withCluster() reads groups that are given again, and keeps their commas', t => {
  t.deepEqual(read('--as', 'jane', '--as-group', 'a,b', '--as-group', 'c').asGroup, ['a,b', 'c'])
})

test('withCluster() reads a level of -v and refuses what is no number', t => {
  t.is(read('-v', '8').v, 8)
  t.throws(() => read('-v', 'much'), { message: /Expected a number from 0 to 10/ })
})

const chosen = [
  '--context=one',
  '--kubeconfig=file',
  '--cluster=two',
  '--user=three',
  '--server=https://localhost',
  '--token=text',
  '--as=jane',
  '--as-uid=1',
  '--certificate-authority=ca',
  '--client-certificate=crt',
  '--client-key=key',
  '--tls-server-name=name',
  '--as-group=a,b',
  '--as-group=c',
  '--as-user-extra=d=e',
  '--insecure-skip-tls-verify',
]

test('kubectlFlags() are the flags that say who asks and where, as they were given', t => {
  t.deepEqual(kubectlFlags(read(...chosen, '--namespace=web', '--v=8')), chosen)
  t.deepEqual(kubectlFlags(read()), [])
})
