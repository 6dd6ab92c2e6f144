import test from 'ava'
import { agentRoutes, capturePath, filePath, keyOf } from '../../../src/agentapi/paths.ts'
import { type Api, captureKey } from '../../../src/model/captureRef.ts'

const capture = (api: Api) => ({
  api,
  namespace: api === 'PacketCaptureConfig' ? '' : 'shop',
  name: 'web',
  uid: 'u-1',
})

/** As a router does: a segment that begins with a colon takes any one segment. */
function paramsIn(route: string, path: string): Record<string, string> | undefined {
  const [names, values] = [route.split('/'), path.split('/')]
  if (
    names.length !== values.length ||
    names.some((name, index) => !name.startsWith(':') && name !== values[index])
  )
    return undefined
  return Object.fromEntries(
    names.flatMap((name, index) =>
      name.startsWith(':') ? [[name.slice(1), values[index] ?? '']] : [],
    ),
  )
}

for (const api of ['PacketCapture', 'Capture', 'PacketCaptureConfig'] as const)
  for (const resource of ['files', 'stream'] as const)
    test(`capturePath() is matched by the route of ${resource} with the key of a ${api}`, t => {
      const params = paramsIn(agentRoutes[resource], capturePath(capture(api), resource))
      t.is(params?.uid, 'u-1')
      t.is(keyOf(params as { namespace: string; name: string }), captureKey(capture(api)))
    })

test('filePath() is matched by the route of a file, with one segment for any name', t => {
  const params = paramsIn(
    agentRoutes.file,
    filePath(capturePath(capture('Capture'), 'files'), 'a/b c.pcap'),
  )
  t.is(decodeURIComponent(params?.file ?? ''), 'a/b c.pcap')
})
