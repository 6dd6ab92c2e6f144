// Every document with commands to type has a test that types them, or holds them to the program
// that takes them.
import test from 'ava'
import { commandsOf } from '../support/markdown.ts'
import { read } from '../support/repository.ts'
import { files } from './tree.ts'

/** The tests of each document. Each has a first test that fails for a command without a check. */
const typedBy: Readonly<Record<string, readonly string[]>> = {
  'CONTRIBUTING.md': ['test/integration/processes/readme.test.ts'],
  'README.md': [
    'test/integration/processes/readme.test.ts',
    'test/integration/kube/node/readme.test.ts',
  ],
  'charts/selcap/README.md': ['test/integration/deploy/chart.test.ts'],
  'docs/cluster.md': [
    'test/integration/kube/node/readme.test.ts',
    'test/integration/kube/readme.test.ts',
  ],
  'docs/debugging.md': ['test/integration/processes/developerDocs.test.ts'],
  'docs/install.md': ['test/integration/processes/installDocs.test.ts'],
  'docs/kubectl-pcap.md': ['test/integration/processes/kubectlManual.test.ts'],
  'docs/operations.md': [
    'test/integration/processes/readme.test.ts',
    'test/integration/kube/controller/pvcUploads.test.ts',
  ],
  'docs/packetcaptureconfig.md': ['test/integration/kube/readme.test.ts'],
  'docs/release.md': ['test/integration/processes/developerDocs.test.ts'],
  'krew/README.md': ['test/integration/processes/developerDocs.test.ts'],
}

test('every document with commands is in the table, and no other', t => {
  const documents = files.filter(file => file.endsWith('.md') && commandsOf(read(file)).length > 0)
  t.deepEqual(documents.toSorted(), Object.keys(typedBy).toSorted())
})

for (const [document, tests] of Object.entries(typedBy)) {
  for (const file of tests)
    test(`${file} reads ${document}`, t =>
      t.true(files.includes(file) && read(file).includes(`read('${document}')`)))
}
