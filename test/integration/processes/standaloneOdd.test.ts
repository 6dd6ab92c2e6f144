// `selcap standalone` beside entries in its directories that no run made: each costs itself.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { networkTest } from '../../support/net/privilege.ts'
import { readRecords } from '../../support/pcap/captureFile.ts'
import { twoCaptures } from '../../support/processes/twoCaptures.ts'
import { until } from '../../support/until.ts'

networkTest(
  'pipes, directories and what cannot be listed in the captures and the status end or hang no start',
  async t => {
    const { app, start, captured } = await twoCaptures(t)
    await start()
    await captured(10)
    const uids = ['old', 'new'].map(name => app.status(name)?.metadata.uid)
    await app.stop()
    const at = (...path: string[]) => join(app.root, ...path)
    const [active = ''] = app.files('old')
    renameSync(at('captures', 'shop', 'old', '.selcap.json'), at('state'))
    rmSync(at('captures', 'shop', 'new', '.selcap.json.copy'))
    for (const path of [
      at('captures', 'pipe'),
      at('captures', 'shop', 'pipe'),
      at('captures', 'shop', 'old', '.selcap.json'),
      at('captures', 'shop', 'old', 'pipe_eth0.pcap'),
      at('captures', 'shop', 'old', `.${active}.next0`),
      at('captures', 'shop', 'new', '.selcap.json.copy'),
      at('status', 'pipe.yaml'),
      at('status', 'shop', 'pipe.yaml'),
    ])
      execFileSync('mkfifo', [path])
    renameSync(at('status', '.identities.json'), at('identities'))
    execFileSync('mkfifo', [at('status', '.identities.json')])
    for (const path of [
      at('captures', 'shop', 'new', 'directory_eth0.pcap'),
      at('captures', 'shop', 'new', `.${active}.next0`),
      at('captures', 'other', 'closed'),
      at('captures', 'closed'),
      at('status', 'shop', 'directory.yaml'),
      at('status', 'closed'),
    ])
      mkdirSync(path, { recursive: true })
    const closed = [
      at('captures', 'other', 'closed'),
      at('captures', 'closed'),
      at('status', 'closed'),
    ]
    for (const path of closed) chmodSync(path, 0)
    app.log.length = 0
    // As an ordinary user: the modes of files hold.
    const caps = '-dac_override,-dac_read_search'
    await app.start(['setpriv', '--bounding-set', caps, '--inh-caps', caps])
    await until('both taps', () => app.log.filter(line => /opening tap/.test(line)).length === 2)
    await captured(10, 20)
    for (const name of ['old', 'new']) {
      const files = app.files(name).filter(file => file.startsWith('web-0'))
      const texts = files.map(file => readFileSync(at('captures', 'shop', name, file)))
      t.is(texts.flatMap(text => readRecords(text, 'pcap')).length, 20)
    }
    t.deepEqual(
      ['old', 'new'].map(name => app.status(name)?.metadata.uid),
      uids,
    )
    const said = (text: string) => app.log.some(line => line.includes(text))
    for (const path of closed) await until(path, () => said(path))
    t.true(said('state file not readable'))
    t.true(said('identities taken from the status'))
    t.true(said('pipe.yaml') && said('directory.yaml'))
    const kept = readdirSync(at('captures', 'shop', 'old')).filter(name => /unreadable/.test(name))
    t.is(kept.length, 1)
    t.is(await app.stop(), 0)
  },
)
