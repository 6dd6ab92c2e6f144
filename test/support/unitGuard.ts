// What a test of test/unit or test/worlds may not do: start a process or a thread, open a socket,
// load an addon, write to standard output. Each worker loads this file (scripts/ava.config.mjs); whoever tries is refused by
// an exception that names what was tried.
import childProcess from 'node:child_process'
import dgram from 'node:dgram'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import workerThreads from 'node:worker_threads'
import test from 'ava'

function refuse(what: string): () => never {
  return () => {
    throw new Error(`Cannot ${what} in a unit test: move the test to test/integration`)
  }
}

if (/\/test\/(?:unit|worlds)\//.test(test.meta.file)) {
  const start = refuse('start a process')
  Object.assign(childProcess, {
    spawn: start,
    spawnSync: start,
    fork: start,
    exec: start,
    execSync: start,
    execFile: start,
    execFileSync: start,
  })
  Object.assign(workerThreads, { Worker: refuse('start a thread') })
  Object.assign(net.Server.prototype, { listen: refuse('open a port') })
  Object.assign(net.Socket.prototype, { connect: refuse('open a connection') })
  Object.assign(dgram, { createSocket: refuse('open a socket') })
  Object.assign(process, { dlopen: refuse('load an addon') })
  Object.assign(process.stdout, { write: refuse('write to standard output') })
  syncBuiltinESMExports()
}
