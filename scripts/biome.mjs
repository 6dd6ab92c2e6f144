// Runs Biome: the platform's own package is installed, not the umbrella package with its launcher
// (docs/decisions/0001).
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from './bundled.mjs'

const { status, error } = spawnSync(
  join(root, 'node_modules', '@biomejs', `cli-${process.platform}-${process.arch}`, 'biome'),
  process.argv.slice(2),
  {
    stdio: 'inherit',
  },
)
if (error) process.stderr.write(`Cannot run Biome: ${error.message}; run: node scripts/setup.mjs\n`)
process.exitCode = status ?? 1
