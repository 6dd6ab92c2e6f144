import test from 'ava'
import { manifestFiles } from '../../../../src/kubectl/install/manifestFiles.ts'
import { read } from '../../../support/repository.ts'

test('manifestFiles() has the manifests as they lie in the repository', async t => {
  const files = await manifestFiles()
  for (const name of ['crds/packetcapture.yaml', 'daemonset/base/agent.yaml', 'daemonset/components/retina/kustomization.yaml']) // biome-ignore format: one line
    t.is(files[name], read(name))
})
