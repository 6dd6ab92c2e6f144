// What kubectl makes of daemonset/base with some of its components.
// In: names of components. Out: the objects, in kubectl's order. renderVariants() gives each object
// once, with what each component makes of it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { parseAllDocuments } from 'yaml'
import type { Alternative } from './template.ts'

const daemonset = join(import.meta.dirname, '..', '..', 'daemonset')

export type Manifest = {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly [field: string]: unknown
}
export type Variant = { readonly component: string; readonly condition: string }
export type Templated = {
  readonly object: Manifest
  readonly condition: string | undefined // undefined: part of every release
  readonly alternatives: readonly Alternative[]
}

/** `image` takes the place of the image's name. */
export function renderKustomize(
  kubectl: string,
  components: readonly string[],
  image: { readonly name: string; readonly tag: string },
): Manifest[] {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'selcap-render-')))
  const from = (name: string): string => relative(folder, join(daemonset, name)) // kustomize takes no absolute path
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [from('base')],
    components: components.map(name => from(`components/${name}`)),
    images: [{ name: 'selcap', newName: image.name, newTag: image.tag }],
  }
  try {
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization))
    const text = execFileSync(kubectl, ['kustomize', folder], { encoding: 'utf8' })
    return parseAllDocuments(text).map(document => document.toJS() as Manifest)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A group of one's own is in a CRD's name: it is the same object. */
export function keyOf({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name.replace('.selcap.dev', '.projectcalico.org')}`
}

export function renderVariants(
  render: (components: readonly string[]) => readonly Manifest[],
  variants: readonly Variant[],
): Templated[] {
  const base = render([])
  const templated = base.map(object => templatedOf(object, undefined, [], render, variants))
  const seen = new Set(base.map(keyOf))
  for (const { component, condition } of variants)
    for (const object of render([component])) {
      if (seen.has(keyOf(object))) continue
      seen.add(keyOf(object))
      const others = variants.filter(other => other.component !== component)
      templated.push(templatedOf(object, condition, [component], render, others))
    }
  return templated
}

function templatedOf(
  object: Manifest,
  condition: string | undefined,
  present: readonly string[],
  render: (components: readonly string[]) => readonly Manifest[],
  variants: readonly Variant[],
): Templated {
  const alternatives = variants.flatMap(({ component, condition: when }) => {
    const node = render([...present, component]).find(other => keyOf(other) === keyOf(object))
    return node && !isDeepStrictEqual(node, object) ? [{ condition: when, node }] : []
  })
  return { object, condition, alternatives }
}
