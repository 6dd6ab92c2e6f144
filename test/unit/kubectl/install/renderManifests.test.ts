import test from 'ava'
import { componentNames, readImage } from '../../../../src/kubectl/install/renderManifests.ts'

const digest = `sha256:${'0'.repeat(64)}`
for (const [text, image] of [
  ['selcap', { newName: 'selcap' }],
  ['r.example:5000/a/selcap', { newName: 'r.example:5000/a/selcap' }],
  ['r.example:5000/selcap:1.2', { newName: 'r.example:5000/selcap', newTag: '1.2' }],
  [`selcap@${digest}`, { newName: 'selcap', digest }],
] as const)
  test(`readImage() reads ${text}`, t => t.deepEqual(readImage(text), image))

for (const text of ['', 'a b', 'a@sha256:1'])
  test(`readImage() refuses "${text}"`, t => t.throws(() => readImage(text), { message: /^Cannot use the image/ })) // biome-ignore format: one line

test('componentNames() are the folders of components', t =>
  t.deepEqual(
    componentNames({ 'daemonset/components/b/x.yaml': '', 'daemonset/components/a/x.yaml': '', 'crds/c.yaml': '' }), // biome-ignore format: one line
    ['a', 'b'],
  ))
