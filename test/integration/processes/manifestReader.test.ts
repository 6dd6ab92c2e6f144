// Long manifests are read by a thread of their own: the process goes on meanwhile, whatever is in them.
import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { ManifestReader } from '../../../src/manifest/manifestReader.ts'
import { captureText } from '../../support/directory.ts'

const long = Array.from({ length: 200 }, (_, index) => captureText(`c${index}`)).join('---\n')

test('read() reads one long text after another, and the process goes on meanwhile', async t => {
  await using reader = new ManifestReader()
  for (const file of ['a.yaml', 'b.yaml']) {
    const reading = reader.read(`${long}---\nkind: Nothing\n`, file)
    const ended = Promise.withResolvers<string>()
    void reading.finally(() => ended.resolve('read'))
    t.is(await Promise.race([setImmediate('others'), ended.promise]), 'others')
    const { documents, problems } = await reading
    t.is(documents.length, 200)
    t.regex(problems.map(({ text }) => text).join(), new RegExp(`^${file}:\\d+:.*Nothing`))
  }
})

for (const [what, text, words] of [
  ['fields', `{${'a: {'.repeat(1_000_000)}`, /nested too deeply/],
  ['a million items', `[${'a,'.repeat(1_000_000)}]`, /more than 250000 tokens/],
  [
    'twenty thousand fields',
    `spec:\n${Array.from({ length: 20_000 }, (_, at) => `  k${at}: v\n`).join('')}`,
    /kind: found nothing/,
  ],
] as const) {
  test(`read() tells what is wrong with ${what}, and reads the next`, async t => {
    await using reader = new ManifestReader()
    const { problems } = await reader.read(text, 'bad.yaml')
    t.regex(problems[0]?.text ?? '', words)
    t.is((await reader.read(long, 'good.yaml')).documents.length, 200)
  })
}
