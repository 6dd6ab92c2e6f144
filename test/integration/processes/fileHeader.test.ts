// Headers and trailers of capture files, as other programs read them.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { fileHeader, fileTrailer, trailerBytes } from '../../../src/pcap/fileHeader.ts'
import { facts, folder, formats, record } from '../../support/captureDirectory.ts'

for (const format of formats) {
  test(`fileHeader() and fileTrailer() make files that capinfos and tshark read (${format})`, t => {
    const path = join(folder(t), 'file')
    const statistics = {
      received: 9,
      dropped: 4,
      packets: 5,
      fromMs: 1_700_000_000_000,
      toMs: 1_700_000_001_000,
    }
    writeFileSync(
      path,
      Buffer.concat([
        fileHeader({ ...facts, format }),
        record(format),
        fileTrailer(format, statistics),
      ]),
    )
    const shown = execFileSync('capinfos', [path], { encoding: 'utf8' })
    t.regex(shown, /Number of packets: {3}1\n/)
    t.regex(shown, /File encapsulation: {2}Ethernet\n/)
    if (format === 'pcapng') {
      t.regex(
        shown,
        /Name = cali1\n[\s\S]*Description = shop\/web-0\n[\s\S]*Time resolution = 0x09\n/,
      )
      t.regex(shown, /Filter string = tcp\n/)
      t.regex(shown, /Number of stat entries = 1\n/)
    }
    t.is(fileTrailer(format, statistics).length, trailerBytes(format))
    t.notThrows(() => execFileSync('tshark', ['-r', path], { stdio: 'pipe' }))
    t.notThrows(() => execFileSync('tcpdump', ['-nr', path], { stdio: 'pipe' }))
  })
}
