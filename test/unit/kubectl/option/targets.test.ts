// The selector of named pods, deployments and services, and the pods that it must not match beside
// them.
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import test from 'ava'
import type { Session } from '../../../../src/kubectl/client/session.ts'
import { selectorOf, type TargetSelector } from '../../../../src/kubectl/option/targets.ts'

const pod = (name: string, labels: Readonly<Record<string, string>>) => ({
  metadata: { name, labels },
})
const objects: Readonly<Record<string, object>> = {
  '/apis/apps/v1/namespaces/shop/deployments/web': {
    spec: { selector: { matchLabels: { app: 'web' } } },
  },
  '/api/v1/namespaces/shop/services/api': { spec: { selector: { app: 'api' } } },
  '/api/v1/namespaces/shop/services/external': { spec: {} },
  '/api/v1/namespaces/shop/pods': {
    items: [
      pod('db-0', { app: 'db', 'statefulset.kubernetes.io/pod-name': 'db-0' }),
      pod('db-1', { app: 'db', 'statefulset.kubernetes.io/pod-name': 'db-1' }),
      pod('one', { app: 'one' }),
      ...Array.from({ length: 8 }, (_, index) => pod(`web-${index}`, { app: 'web' })),
    ],
  },
}

async function selectorFor(targets: TargetSelector): Promise<string | undefined> {
  const kube = async ({ path }: { readonly path: string }) => {
    const [statusCode, body] = objects[path]
      ? [200, objects[path]]
      : [404, { message: `"${path.split('/').at(-1)}" not found` }]
    return Object.assign(Readable.from([Buffer.from(JSON.stringify(body))]), {
      statusCode,
      headers: {},
    }) as unknown as IncomingMessage
  }
  return await selectorOf({ kube, namespace: 'shop' } as unknown as Session, targets)
}

const rows: readonly (readonly [targets: TargetSelector, selector: string | undefined])[] = [
  [{}, undefined],
  [{ selector: 'all()' }, 'all()'],
  [{ deployment: ['web'] }, 'app == "web"'],
  [{ service: ['api'] }, 'app == "api"'],
  [{ pod: ['one'] }, 'app == "one"'],
  [{ pod: ['db-0'] }, 'statefulset.kubernetes.io/pod-name == "db-0"'],
  [
    { pod: ['one'], deployment: ['web'], service: ['api'] },
    '(app == "one") || (app == "web") || (app == "api")',
  ],
  [{ deployment: ['web'], selector: 'tier == "front"' }, '(tier == "front") && (app == "web")'],
  [{ pod: ['web-0'], withReplicas: true }, 'app == "web"'],
]
for (const [targets, selector] of rows)
  test(`selectorOf() is ${selector} when the targets are ${JSON.stringify(targets)}`, async t =>
    t.is(await selectorFor(targets), selector))

const refusals: readonly (readonly [targets: TargetSelector, exitCode: number, message: RegExp])[] =
  [
    [{ pod: ['gone'] }, 3, /^Cannot read pod "gone": there is none in namespace "shop"$/],
    [{ deployment: ['gone'] }, 3, /^Cannot read deployment "gone": "gone" not found$/],
    [{ service: ['external'] }, 2, /it has no selector/],
    [
      { pod: ['web-0'] },
      2,
      /^Cannot select web-0 alone: the same labels are on web-1, web-2, web-3, web-4, web-5 and 2 more; expected --with-replicas, --deployment or --selector$/,
    ],
  ]
for (const [targets, exitCode, message] of refusals)
  test(`selectorOf() refuses ${JSON.stringify(targets)}`, async t => {
    t.like(await t.throwsAsync(selectorFor(targets), { name: 'CommandFailure', message }), {
      exitCode,
    })
  })

test('selectorOf() takes pods that share their labels when all of them are named', async t => {
  const names = Array.from({ length: 8 }, (_, index) => `web-${index}`)
  t.regex(
    (await selectorFor({ pod: names })) ?? '',
    /^\(app == "web"\)( \|\| \(app == "web"\)){7}$/,
  )
})
