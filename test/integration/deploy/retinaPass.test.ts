// The overlay retina against a real API server: who may let nodes through to a Capture where their
// number is limited. Each attempt to do it oneself is made in the name of a user who may not.
import test from 'ava'
import { type Answered, useInstalled } from '../../support/kube/installManifests.ts'
import { bind, type Person } from '../../support/kube/users.ts'
import { until } from '../../support/until.ts'

const server = useInstalled('daemonset/overlays/retina')
const captures = (namespace: string): string =>
  `/apis/retina.sh/v1alpha1/namespaces/${namespace}/captures`
const mergePatch = 'application/merge-patch+json'
const own = {
  captureConfiguration: { captureTarget: { podSelector: {} }, captureOption: { duration: '1s' } },
  outputConfiguration: { hostPath: 'x' },
}

function create(as: Person, annotations: object = {}): Promise<Answered> {
  const metadata = { generateName: 'try-', annotations }
  const body = { apiVersion: 'retina.sh/v1alpha1', kind: 'Capture', metadata, spec: own }
  return server().asAdmin({ as, path: captures('shop'), method: 'POST', body })
}

test.serial.before(async () => {
  await server().apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    bind('seller', 'selcap-retina-edit', 'shop'),
    bind('operator', 'selcap-retina-edit'),
    bind('host', 'selcap-retina-edit', 'shop'),
    bind('host', 'selcap-retina-host'),
  )
  await until(
    'the bindings',
    async () => (await create('operator')).code === 201 && (await create('host')).code === 201,
  )
  await until(
    'the policy',
    async () => (await create('seller', { 'selcap.dev/pass': 'x' })).code === 403,
  )
})

const passAnnotation = 'selcap.dev/pass'

test.serial(
  'nobody lets nodes through but the controller: not on create, not by patch, update or status',
  async t => {
    const annotations = {
      [passAnnotation]: JSON.stringify({ uid: 'u', generation: 1, sinceMs: 1, nodes: ['node-1'] }),
    }
    for (const as of ['seller', 'operator', 'host'] as const) {
      const { code, body } = await create(as, annotations)
      t.is(code, 403, as)
      t.regex(body.message ?? '', /takes the right to patch captures\/status/)
    }
    const { body } = await create('seller')
    const path = `${captures('shop')}/${(body.metadata as { name: string }).name}`
    const patch = (metadata: object, as: Person = 'seller', at = path) =>
      server().asAdmin({ as, path: at, method: 'PATCH', type: mergePatch, body: { metadata } })
    t.is((await patch({ annotations })).code, 403)
    t.is((await patch({ annotations }, 'operator')).code, 403)
    t.is((await patch({ annotations }, 'seller', `${path}/status`)).code, 403)
    const metadata = { ...(body.metadata as object), annotations }
    t.is(
      (await server().asAdmin({ as: 'seller', path, method: 'PUT', body: { ...body, metadata } }))
        .code,
      403,
    )

    const token = await server().boundToken('selcap-controller', 'node-a')
    const passed = await server().as(token, {
      path,
      method: 'PATCH',
      type: mergePatch,
      body: { metadata: { annotations } },
    })
    t.is(passed.code, 200, passed.body.message)
    t.is((await patch({ annotations: { mine: 'too' }, labels: { a: 'b' } })).code, 200) // it stays as it is
    t.is((await patch({ annotations: { [passAnnotation]: '{}' } })).code, 403)
    t.is((await patch({ annotations: { [passAnnotation]: null } })).code, 200)
    t.is((await patch({ annotations })).code, 403) // nor what was there before
  },
)

test.serial(
  'status is written by the controller alone, whatever rights people have to captures',
  async t => {
    const { body } = await create('seller')
    const path = `${captures('shop')}/${(body.metadata as { name: string }).name}`
    const status = { active: 5 }
    for (const as of ['seller', 'operator', 'host'] as const)
      t.is(
        (
          await server().asAdmin({
            as,
            path: `${path}/status`,
            method: 'PATCH',
            type: mergePatch,
            body: { status },
          })
        ).code,
        403,
        as,
      )
    const patched = await server().asAdmin({
      as: 'seller',
      path,
      method: 'PATCH',
      type: mergePatch,
      body: { status },
    })
    t.deepEqual([patched.code, (patched.body as { status?: object }).status], [200, undefined]) // it is no part of what was asked for
  },
)

test.serial('the controller counts pods and namespaces, and follows none', async t => {
  const token = await server().boundToken('selcap-controller', 'node-a')
  for (const path of ['/api/v1/pods', '/api/v1/namespaces/shop/pods', '/api/v1/namespaces'])
    t.is((await server().as(token, { path })).code, 200, path)
  for (const path of [
    '/api/v1/pods?watch=true&timeoutSeconds=1',
    '/api/v1/namespaces/shop/pods/web',
    '/api/v1/namespaces/shop',
  ])
    t.is((await server().as(token, { path })).code, 403, path)
})
