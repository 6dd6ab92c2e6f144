// Loaded into a program under test before its own code: moves the time of day that it sees by the
// milliseconds in the file $SELCAP_ENDURE_CLOCK. The machine's clock and the kernel's times of
// packets stay as they are. The file stays open: there may be no descriptor left to open it again.
import { openSync, readSync } from 'node:fs'

const file = process.env.SELCAP_ENDURE_CLOCK
const machineNow = Date.now
if (file !== undefined) {
  const fd = openSync(file, 'r')
  const text = Buffer.alloc(16)
  Date.now = () => machineNow() + Number(text.toString('latin1', 0, readSync(fd, text, 0, 16, 0)))
}
