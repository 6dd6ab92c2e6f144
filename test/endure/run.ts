// The inside of `npm run endure`: runs the campaign in the namespaces that scripts/endure.ts made,
// and says how it ended. Started by it alone.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { addSums, noSums } from './audit.ts'
import { campaign, type Result } from './campaign.ts'
import { Guard } from './guard.ts'
import { makeStage } from './makeStage.ts'
import { readOptions } from './options.ts'
import { Random } from './random.ts'
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
const results: Result[] = []
for (const [index, target] of targets.entries()) results.push(await against(target, index))
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

async function against(name: TargetName, index: number): Promise<Result> {
  const cleanUps: (() => unknown)[] = []
  const scope = { teardown: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
  const share = (minutes * 60_000) / targets.length
  try {
    const random = new Random(seed + index)
    const stage = await makeStage(name, { scope, guard, root: join(directory, name), random })
    const endMs = Math.max(Date.now() + 5_000, beganMs + share * (index + 1))
    return await campaign(stage, { endMs, chosen: faults, isPlanted, say })
  } finally {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp()
  }
}

function again(): string {
  return [
    `--seed ${seed} --minutes ${minutes}`,
    ...(targets.length === 1 ? [`--only ${targets[0]}`] : []),
    ...(faults.length > 0 ? [`--faults ${faults.join(',')}`] : []),
  ].join(' ')
}
