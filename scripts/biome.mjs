// Runs Biome: the platform's own package is installed, not the umbrella package with its launcher (docs/decisions/0001).
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const modules = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules')
const { status, error } = spawnSync(join(modules, '@biomejs', `cli-${process.platform}-${process.arch}`, 'biome'), process.argv.slice(2), {
  stdio: 'inherit',
})
if (error) process.stderr.write(`Cannot run Biome: ${error.message}; run: node scripts/setup.mjs\n`)
process.exitCode = status ?? 1
