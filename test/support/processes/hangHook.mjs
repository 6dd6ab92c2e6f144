// Loaded into a program under test before its own code: from the time that the file
// $SELCAP_HANG_FROM is there, no listing of the directory $SELCAP_HANG_DIRECTORY comes back, as from
// a server of files that is gone. A thread waits in a system call, for a pipe that nobody writes.
import { existsSync, writeFileSync } from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const { SELCAP_HANG_FROM: from, SELCAP_HANG_DIRECTORY: directory } = process.env
const { open, readdir } = promises
promises.readdir = async (path, ...rest) => {
  if (path === directory && existsSync(from)) {
    writeFileSync(`${from}.held`, '')
    await open(from)
  }
  return readdir(path, ...rest)
}
syncBuiltinESMExports()
