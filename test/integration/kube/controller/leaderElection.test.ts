// Who leads, with real processes and a real API server: never two at once, whatever is paused,
// killed or away. What proves it are the leaders' own writes, in the order in which the server took
// them.
import { join } from 'node:path'
import test from 'ava'
import { type ApiServer, startApiServer } from '../../../support/kube/apiServer.ts'
import { type Child, startChild } from '../../../support/kube/child.ts'
import { root } from '../../../support/repository.ts'
import { remains, until as untilSo } from '../../../support/until.ts'

const servers: ApiServer[] = []
const children: Child[] = []

test.serial.before(async () => {
  servers.push(await startApiServer())
})
test.after.always(async () => {
  for (const child of children) await child.stop('SIGKILL')
  for (const server of servers) await server.stop()
})

function api(): ApiServer {
  const [server] = servers
  if (!server) throw new Error('Cannot test: no API server was started')
  return server
}

function start(holder: string): Child {
  const command = [
    process.execPath,
    join(root, 'test/support/kube/candidate.ts'),
    api().kubeconfig,
    holder,
  ]
  const child = startChild(holder, command, { logFile: join(api().directory, `${holder}.log`) })
  children.push(child)
  return child
}

/** What it has said of leading, in order. */
function saidBy(child: Child): string[] {
  const lines = child.tail(10_000).split('\n')
  return lines
    .filter(line => line.startsWith('{'))
    .map(line => (JSON.parse(line) as { msg: string }).msg)
}

const timesOf = (child: Child, said: string): number =>
  saidBy(child).filter(each => each === said).length

const until = (what: string, isSo: () => boolean | Promise<boolean>): Promise<void> =>
  untilSo(what, isSo, { everyMs: 100, tails: children })

const untilSaid = (child: Child, said: string, times: number) =>
  until(`${child.name}: ${said}`, () => timesOf(child, said) >= times)

/** Who wrote, in the server's order, each stretch once. */
async function reigns(): Promise<string[]> {
  type Listed = {
    readonly items: readonly {
      readonly metadata: { readonly resourceVersion: string }
      readonly reportingComponent: string
    }[]
  }
  const { items } = JSON.parse(
    await api().kubectl('get', '--raw=/api/v1/namespaces/default/events'),
  ) as Listed
  const ordered = items.toSorted(
    (a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion),
  )
  const writers = ordered
    .map(({ reportingComponent }) => reportingComponent)
    .filter(writer => /^(a|b|c)$/.test(writer))
  return writers.filter((writer, index) => writer !== writers[index - 1])
}

async function holder(): Promise<string | undefined> {
  const { code, out } = await api().ask(['get', 'lease', 'selcap-controller', '-o', 'json'])
  return code === 0
    ? (JSON.parse(out) as { spec: { holderIdentity?: string } }).spec.holderIdentity
    : undefined
}

test.serial('lead() lets one of two lead who start together', async t => {
  const both = [start('a'), start('b')]
  await until('a leader', () => both.some(child => timesOf(child, 'leading') > 0))
  const leaders = () => both.filter(child => timesOf(child, 'leading') > 0)
  await remains('one leader', 5_000, () => leaders().length === 1)
  t.deepEqual(await reigns(), [await holder()])
})

test.serial(
  'lead() is over for a leader that was paused for 30 s, before it writes again',
  async t => {
    const first = await holder()
    const paused = children.find(({ name }) => name === first)
    const other = children.find(({ name }) => name !== first)
    if (!paused || !other) throw new Error('expected two candidates')
    process.kill(paused.pid, 'SIGSTOP')
    await Promise.all([
      remains('one term of the paused', 30_000, () => timesOf(paused, 'leading') === 1),
      untilSaid(other, 'leading', 1),
    ])
    process.kill(paused.pid, 'SIGCONT')
    await untilSaid(paused, 'no longer leading', 1)
    await remains('one term of the paused', 4_000, () => timesOf(paused, 'leading') === 1)
    t.deepEqual(await reigns(), [paused.name, other.name])
    t.is(await holder(), other.name)
  },
)

test.serial('lead() gives the lease back when told to stop, and the next takes over', async t => {
  const first = await holder()
  const leader = children.find(({ name }) => name === first)
  const other = children.find(({ name }) => name !== first)
  if (!leader || !other) throw new Error('expected two candidates')
  const before = await reigns()
  await leader.stop('SIGTERM')
  t.not(await holder(), leader.name)
  await untilSaid(other, 'leading', timesOf(other, 'no longer leading') + 1)
  await until('a write', async () => (await reigns()).at(-1) === other.name)
  t.deepEqual(await reigns(), [...before, other.name])
})

test.serial(
  'lead() is over while the API server is away or hangs, and one leads when it is back',
  async t => {
    const first = await holder()
    const leader = children.find(({ name }) => name === first)
    if (!leader) throw new Error('expected a leader')
    const next = start('c')
    const terms = timesOf(leader, 'no longer leading')
    await api().interrupt('SIGKILL')
    await untilSaid(leader, 'no longer leading', terms + 1)
    await api().resume()
    const leading = () =>
      [leader, next].filter(
        child => timesOf(child, 'leading') > timesOf(child, 'no longer leading'),
      )
    await until('a leader', () => leading().length === 1)
    await remains('one leader', 3_000, () => leading().length === 1)
    const [second] = leading()
    t.is(await holder(), second?.name)
    const overs = second ? timesOf(second, 'no longer leading') : 0
    process.kill(api().pid, 'SIGSTOP')
    try {
      await until(
        'the leader to give up',
        () => second !== undefined && timesOf(second, 'no longer leading') > overs,
      )
    } finally {
      process.kill(api().pid, 'SIGCONT')
    }
    await until('a leader', () => leading().length > 0)
    await remains('one leader', 3_000, () => leading().length === 1)
    const [last] = leading()
    t.is(await holder(), last?.name)
    t.is((await reigns()).at(-1), last?.name)
  },
)
