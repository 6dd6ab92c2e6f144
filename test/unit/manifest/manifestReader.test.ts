// A short text is read here; test/integration/processes/manifestReader.test.ts has the long ones.
import test from 'ava'
import { ManifestReader } from '../../../src/manifest/manifestReader.ts'
import { captureText } from '../../support/directory.ts'

test('read() gives the documents and the problems of a short text without a thread', async t => {
  await using reader = new ManifestReader()
  const { documents, problems } = await reader.read(`${captureText('a')}---\nkind: [`, 'f.yaml')
  t.deepEqual(documents.map(({ metadata }) => metadata.name), ['a']) // biome-ignore format: one line
  t.regex(problems[0]?.text ?? '', /^f\.yaml:\d+:\d+: document 2: /)
})
