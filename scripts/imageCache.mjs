// What Node makes of selcap's sources, kept in the image, whose files cannot be written later:
// without it each start would load what strips the types, 20 MiB that an agent keeps. `node
// scripts/imageCache.mjs DIRECTORY`, by the image's own Node with the options with which it will
// run. In: the directory that holds src. Out: its folder `cache`, for root and for the image's
// user.
import { chmodSync, globSync, readdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { constants, enableCompileCache, flushCompileCache } from 'node:module'
import { join } from 'node:path'

const [home] = process.argv.splice(1, Infinity, 'selcap', '--help').slice(1)
const cache = join(home, 'cache')
const { status, message } = enableCompileCache({ directory: cache, portable: true })
if (status !== constants.compileCacheStatus.ENABLED)
  throw new Error(`Cannot keep what Node compiles in ${cache}: ${message}`)

// Programs do something when they are loaded: main.ts comes last, others are started by a file that
// names them.
const modules = globSync('src/**/*.ts', { cwd: home })
const sources = modules.map(name => readFileSync(join(home, name), 'utf8')).join('\n')
const isProgram = name =>
  name.endsWith('main.ts') ||
  sources.includes(`new URL('${name.split('/').at(-1)}', import.meta.url)`)
for (const name of modules.filter(each => !isProgram(each))) await import(join(home, name))

process.stdout.write = () => true // its help
process.once('exit', () => {
  flushCompileCache()
  // The folder's name ends in the user's number, and others look elsewhere.
  const [made = ''] = readdirSync(cache)
  const forUser = number => made.replace(/\d+$/, number)
  renameSync(join(cache, made), join(cache, forUser(0)))
  symlinkSync(forUser(0), join(cache, forUser(65532)))
  for (const name of readdirSync(join(cache, forUser(0))))
    chmodSync(join(cache, forUser(0), name), 0o644)
})
await import(join(home, 'src/main.ts'))
