// What an installation consists of. In: components, image and namespace. Out: the objects, as
// `kubectl kustomize` renders daemonset/base with these components, in its order. Refuses a
// component that does not exist.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { CommandFailure } from '../../model/errors.ts'
import { systemNamespace } from '../../model/wellKnown.ts'
import { manifestFiles } from './manifestFiles.ts'
import { imageOf, type Manifest } from './objects.ts'

export type Installation = {
  readonly components: readonly string[]
  readonly image: string | undefined // undefined: as the manifests name it
  readonly namespace: string
  readonly hasNamespace: boolean // false: the Namespace is somebody else's to make
}

export async function renderManifests({
  components,
  image,
  namespace,
  hasNamespace,
}: Installation): Promise<Manifest[]> {
  const files = await manifestFiles()
  refuseUnknown(components, files)
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'selcap-install-')))
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(join(folder, dirname(name)), { recursive: true })
      await writeFile(join(folder, name), text)
    }
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: ['daemonset/base'],
      components: components.map(name => `daemonset/components/${name}`),
      ...(image !== undefined && { images: [{ name: 'selcap', ...readImage(image) }] }),
    }
    await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization))
    const text = (await kustomize(folder)).replaceAll(systemNamespace, namespace)
    return withClaimImage(parseAllDocuments(text).map(each => each.toJS() as Manifest)).filter(
      ({ kind }) => hasNamespace || kind !== 'Namespace',
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export function componentNames(files: Readonly<Record<string, string>>): string[] {
  const names = Object.keys(files).map(name => /^daemonset\/components\/([^/]+)\//.exec(name)?.[1])
  return [...new Set(names.filter(name => name !== undefined))].toSorted()
}

function refuseUnknown(
  components: readonly string[],
  files: Readonly<Record<string, string>>,
): void {
  const known = componentNames(files)
  const unknown = components.filter(name => !known.includes(name))
  if (unknown.length > 0)
    throw new CommandFailure(
      'usage',
      `Cannot install the component "${unknown.join(', ')}": expected ${known.join(', ')}`,
    )
}

/** `NAME`, `NAME:TAG`, `NAME@sha256:…`; the port of a registry is no tag. */
export function readImage(image: string): {
  readonly newName: string
  readonly newTag?: string
  readonly digest?: string
} {
  const [, newName = '', newTag, digest] =
    /^([^@\s]+?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(image) ?? []
  if (newName === '')
    throw new CommandFailure(
      'usage',
      `Cannot use the image "${image}": expected NAME:TAG or NAME@sha256:…`,
    )
  return { newName, ...(newTag && { newTag }), ...(digest && { digest }) }
}

async function kustomize(folder: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('kubectl', ['kustomize', folder], {
      maxBuffer: 64 * 1024 * 1024,
    })
    return stdout
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { readonly stderr?: string }
    throw new CommandFailure(
      'failed',
      code === 'ENOENT'
        ? 'Cannot render the manifests: kubectl is not on the PATH'
        : `Cannot render the manifests: ${stderr?.trim() || message}`,
      error,
    )
  }
}

/** The component `claims` names the image in a variable, which kustomize does not know. */
function withClaimImage(objects: readonly Manifest[]): Manifest[] {
  return JSON.parse(
    JSON.stringify(objects).replace(
      '{"name":"CLAIM_IMAGE","value":"selcap"}',
      JSON.stringify({ name: 'CLAIM_IMAGE', value: imageOf(objects) }),
    ),
  ) as Manifest[]
}
