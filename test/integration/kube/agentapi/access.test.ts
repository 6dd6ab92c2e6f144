// Whose tokens an agent takes, judged by a real API server: the gateway's for this very node, and
// no others.
import test from 'ava'
import { Agent, files, gatewayToken, resigned } from '../../../support/kube/agentFixture.ts'
import { systemNamespace, useInstalled } from '../../../support/kube/installManifests.ts'
import { until } from '../../../support/until.ts'

const server = useInstalled()
const create = (...args: string[]) =>
  server()
    .api.kubectl('create', 'token', ...args)
    .then(token => token.trim())

async function codeOf(agent: Agent, token: string | undefined): Promise<number> {
  return (await agent.ask({ path: files, token })).code
}

test.serial('the gateway gets a list with the token made for this node', async t => {
  const agent = await Agent.start(t, server())
  agent.write('web_cali1.pcap', 'packets')
  const { code, text } = await agent.ask({ path: files, token: await gatewayToken(server()) })
  t.is(code, 200)
  t.like(JSON.parse(text).files, [{ name: 'web_cali1.pcap', bytes: 7, isActive: false }])
})

test.serial(
  'the token for one node is refused on another: an agent that turned bad can use it nowhere',
  async t => {
    const agent = await Agent.start(t, server())
    t.is(await codeOf(agent, await gatewayToken(server(), 'node-2')), 401)
  },
)

test.serial(
  'a token is refused that is of nobody, has another audience, or is of another account',
  async t => {
    const agent = await Agent.start(t, server())
    agent.write('web_cali1.pcap', 'packets')
    const system = ['-n', systemNamespace]
    const rows = [
      ['no token', undefined, 401],
      ['not a token', 'nonsense', 401],
      ["the administrator's own", server().api.token, 401],
      ["the gateway's own for the API server", await create('selcap-gateway', ...system), 401],
      [
        'for all agents, as it was once',
        await create('selcap-gateway', ...system, '--audience=selcap-agent'),
        401,
      ],
      [
        "the agent's own",
        await create('selcap-agent', ...system, '--audience=selcap-agent:node-1'),
        403,
      ],
      [
        "the controller's",
        await create('selcap-controller', ...system, '--audience=selcap-agent:node-1'),
        403,
      ],
    ] as const
    for (const [what, token, code] of rows) t.is(await codeOf(agent, token), code, what)
    await server().api.kubectl('create', 'serviceaccount', 'selcap-gateway', '-n', 'default')
    t.is(
      await codeOf(
        agent,
        await create('selcap-gateway', '-n', 'default', '--audience=selcap-agent:node-1'),
      ),
      403,
    )
  },
)

test.serial('a token is refused that has expired, is not valid yet, or was changed', async t => {
  const agent = await Agent.start(t, server())
  const token = await gatewayToken(server())
  const [head, body, signature] = token.split('.')
  const seconds = Math.floor(Date.now() / 1_000)
  t.is(await codeOf(agent, resigned(server(), token, {})), 200)
  t.is(await codeOf(agent, resigned(server(), token, { exp: seconds - 60 })), 401)
  t.is(await codeOf(agent, resigned(server(), token, { nbf: seconds + 3_600 })), 401)
  const forged = Buffer.from(
    JSON.stringify({ ...JSON.parse(Buffer.from(body ?? '', 'base64url').toString()), exp: 9e9 }),
  ).toString('base64url')
  t.is(await codeOf(agent, `${head}.${forged}.${signature}`), 401)
  t.is(await codeOf(agent, `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`), 401)
})

test.serial('a token is refused soon after its pod is gone', async t => {
  const agent = await Agent.start(t, server())
  const token = await gatewayToken(server(), 'node-1', 'selcap-gateway', 'gateway-that-goes')
  t.is(await codeOf(agent, token), 200)
  await server().api.kubectl(
    'delete',
    'pod',
    'gateway-that-goes',
    '-n',
    systemNamespace,
    '--grace-period=0',
    '--force',
  )
  t.is(await codeOf(agent, token), 200) // the answer is kept for a while
  await until('the API server, which keeps it for some seconds too, to tell', () => {
    agent.clock.nowMs += 10_000
    return codeOf(agent, token).then(code => code === 401)
  })
})

test.serial('no token comes into the log, of those that are refused neither', async t => {
  const agent = await Agent.start(t, server())
  const tokens = [
    await gatewayToken(server()),
    await gatewayToken(server(), 'node-2'),
    'nonsense-but-secret',
  ]
  for (const token of tokens)
    for (const method of ['GET', 'HEAD', 'DELETE', 'PUT'])
      await agent.ask({ path: files, token, method })
  t.true(agent.said.some(line => line.includes('refused to hand over files')))
  for (const token of tokens) t.false(agent.said.some(line => line.includes(token)))
})
