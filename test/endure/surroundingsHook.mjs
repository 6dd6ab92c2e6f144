// Loaded into a program under test before its own code: moves the time of day that it sees by the
// milliseconds in the file $SELCAP_ENDURE_CLOCK, and lets it watch no directory while the file
// $SELCAP_ENDURE_INOTIFY says "used up". The machine's clock, the kernel's times of packets and the
// machine's inotify stay as they are. The clock's file stays open: there may be no descriptor left
// to open it again.
import fs, { openSync, readFileSync, readSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const { SELCAP_ENDURE_CLOCK: clock, SELCAP_ENDURE_INOTIFY: inotify } = process.env
const machineNow = Date.now
if (clock !== undefined) {
  const fd = openSync(clock, 'r')
  const text = Buffer.alloc(16)
  Date.now = () => machineNow() + Number(text.toString('latin1', 0, readSync(fd, text, 0, 16, 0)))
}
if (inotify !== undefined) {
  const { watch } = fs
  fs.watch = (...args) => {
    if (readFileSync(inotify, 'utf8') !== 'used up') return watch(...args)
    throw Object.assign(new Error('ENOSPC: System limit for number of file watchers reached'), {
      code: 'ENOSPC',
      syscall: 'watch',
    })
  }
  syncBuiltinESMExports()
}
