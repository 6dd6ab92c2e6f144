// The inside of `npm run endure`: runs the campaign in the namespaces that scripts/endure.ts made,
// and says how it ended. Started by it alone.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { addSums, noSums } from './audit.ts'
import { campaign } from './campaign.ts'
import { Guard } from './guard.ts'
import { makeStage } from './makeStage.ts'
import { readOptions } from './options.ts'
import { Random } from './random.ts'
import type { Stage } from './stage.ts'
import type { TargetName } from './target.ts'

const { minutes, seed, targets, faults, isPlanted } = readOptions(process.argv.slice(2))
const say = (line: string) => process.stdout.write(`${line}\n`)

// Whatever ends this process ends its children (PR_SET_PDEATHSIG) and has the guard clean up.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => process.exit(130))

const directory = mkdtempSync(join(tmpdir(), 'selcap-endure-'))
say(`Runs in ${basename(directory)}`)
const guard = await Guard.start(directory)
const beganMs = Date.now()
const cleanUps: (() => unknown)[] = []
const results = await run()
await guard.close()

const sums = results.map(each => each.sums).reduce(addSums, noSums)
const failed = results.flatMap(each => each.failed)
const count = results.reduce((sum, each) => sum + each.faults, 0)
const seconds = Math.round((Date.now() - beganMs) / 1_000)
say(
  `${count} faults in ${seconds} s; ${sums.sent} packets × captures: ${sums.inFiles} in files, ${sums.takenAway} taken away with their files, ${sums.excused} excused, ${sums.inGaps} in stated gaps, ${sums.lost} lost, ${sums.counted} counted as dropped or refused`,
)
if (failed.length > 0) say(`Failed: ${failed.join(', ')}. Again: npm run endure -- ${again()}`)
say(`${failed.length === 0 ? 'passed' : 'FAILED'}, seed ${seed}`)
process.exitCode = failed.length === 0 ? 0 : 1

async function run() {
  try {
    const stages: Stage[] = []
    for (const target of targets) stages.push(await stageOf(target))
    const endMs = Math.max(Date.now() + 5_000, beganMs + minutes * 60_000)
    return await campaign(stages, { endMs, chosen: faults, isPlanted, say })
  } finally {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp()
  }
}

// The same faults in the same order whether the other target has its turns as well or not.
function stageOf(name: TargetName): Promise<Stage> {
  const scope = { teardown: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
  const random = new Random(name === 'agent' ? seed : seed + 2 ** 31)
  return makeStage(name, { scope, guard, root: join(directory, name), random })
}

function again(): string {
  return [
    `--seed ${seed} --minutes ${minutes}`,
    ...(targets.length === 1 ? [`--only ${targets[0]}`] : []),
    ...(faults.length > 0 ? [`--faults ${faults.join(',')}`] : []),
  ].join(' ')
}
