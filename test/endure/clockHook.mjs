// Loaded into a program under test before its own code: moves the time of day that it sees by the
// milliseconds in the file $SELCAP_ENDURE_CLOCK. The machine's clock and the kernel's times of
// packets stay as they are.
import { readFileSync } from 'node:fs'

const file = process.env.SELCAP_ENDURE_CLOCK
const machineNow = Date.now
if (file !== undefined) Date.now = () => machineNow() + (Number(readFileSync(file, 'utf8')) || 0)
