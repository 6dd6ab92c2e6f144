// Which interfaces of a pod a capture takes: one endpoint each. Pure. In: `spec.interfaces`, the
// pod's endpoint, the names of the interfaces that are in the pod. Out: endpoints, by name. A name
// and an attached network are wanted whether the interface is there or not; a wildcard takes what
// is there, if its name can stand in a file's name.
import type { PodInterfaces } from '../model/actualState.ts'
import { type Endpoint, podKey } from '../model/endpoint.ts'
import { compareText } from '../model/text.ts'

const plainName = /^[A-Za-z0-9_.+@-]{1,15}$/

export function endpointsOf(
  pod: Endpoint,
  interfaces: readonly string[],
  present: PodInterfaces,
): Endpoint[] {
  const there = present.get(podKey(pod)) ?? []
  const names = new Set(interfaces.flatMap(wanted => namesOf(wanted, pod, there)))
  return [...names]
    .filter(isPlainName)
    .toSorted(compareText)
    .map(podInterface => ({ ...pod, podInterface }))
}

/** Whether a wildcard takes it: it is wanted only while it is there. */
export function isWildcardOnly(name: string, interfaces: readonly string[]): boolean {
  return !interfaces.includes(name) && interfaces.some(wanted => matchesName(wanted, name))
}

function namesOf(
  wanted: string,
  { networks = [] }: Endpoint,
  there: readonly string[],
): readonly string[] {
  if (wanted.includes('/'))
    return networks.filter(({ name }) => name === wanted).map(each => each.interfaceName)
  return isWildcard(wanted) ? there.filter(name => matchesName(wanted, name)) : [wanted]
}

function isWildcard(wanted: string): boolean {
  return /[*?]/.test(wanted)
}

function isPlainName(name: string): boolean {
  return plainName.test(name) && name !== '.' && name !== '..'
}

/** In time that is proportional to both lengths, whatever the wildcards. */
export function matchesName(wanted: string, name: string): boolean {
  let [at, nameAt] = [0, 0]
  let star: { readonly at: number; nameAt: number } | undefined // where to take one more character
  while (nameAt < name.length) {
    if (wanted[at] === '*') star = { at: ++at, nameAt }
    else if (wanted[at] === '?' || wanted[at] === name[nameAt]) {
      at++
      nameAt++
    } else if (star) {
      at = star.at
      nameAt = ++star.nameAt
    } else return false
  }
  return /^\**$/.test(wanted.slice(at))
}
