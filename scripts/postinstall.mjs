// Builds the native modules (`pcap` and `native/`) for the Node that runs them: Node 24 from
// node_modules, with the headers that package ships, so nothing is downloaded and a `nodedir` of
// the user or the machine does not decide. node-gyp itself runs under that Node too. This file runs
// under any Node >= 20. In: the folders to build, from the root. Without any it is npm's own
// postinstall: it builds all, and where that fails it warns, since types, lint and unit tests need
// no addon.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { bundledFolder, linkBundled, nodeToRun, root } from './bundled.mjs'

const modules = join(root, 'node_modules')
const bundled = bundledFolder()
const foreign = ([name]) => /^npm_(config|package_config_node_gyp)_nodedir$/i.test(name)
const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(entry => !foreign(entry))),
  ...(bundled && { npm_config_nodedir: bundled }),
}
const asked = process.argv.slice(2)

linkBundled()
for (const folder of asked.length > 0 ? asked : ['node_modules/pcap', 'native']) {
  if (!existsSync(join(root, folder, 'binding.gyp'))) continue
  const built = spawnSync(
    nodeToRun(),
    [join(modules, 'node-gyp', 'bin', 'node-gyp.js'), 'configure', 'build', '--silent'],
    {
      cwd: join(root, folder),
      env,
      encoding: 'utf8',
    },
  )
  if (built.status !== 0) {
    process.stderr.write(
      `Cannot build ${folder}: expected g++, make, python3 and libpcap-dev to be installed\n${built.stdout ?? ''}${built.stderr ?? ''}${built.error?.message ?? ''}\n`,
    )
    if (asked.length > 0) process.exit(1)
    process.stderr.write(
      'What captures packets does not run before this command has: npm run setup\n',
    )
    continue
  }
  touchBuilt(join(root, folder, 'build', 'Release'))
}

/**
 * What make found unchanged keeps its old time, and would look older than the sources to setup.mjs
 * for ever.
 */
function touchBuilt(release) {
  const now = new Date()
  for (const name of readdirSync(release))
    if (name.endsWith('.node')) utimesSync(join(release, name), now, now)
}
