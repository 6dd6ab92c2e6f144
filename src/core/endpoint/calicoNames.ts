// Calico's names: of a WorkloadEndpoint (parts joined by dashes, dashes within a part doubled), and
// of the host's end of a pod's veth (a hash of namespace and pod). Pure. Throws RangeError that
// names the wrong part.
import { createHash } from 'node:crypto'

export type EndpointNameParts = {
  readonly node?: string
  readonly orchestrator?: string
  readonly pod?: string
  readonly containerID?: string
  readonly workload?: string
  readonly endpoint?: string
}

type EndpointNamePart = keyof EndpointNameParts

/**
 * Which parts follow the orchestrator. With libnetwork its name stands in place of the workload.
 */
function partsAfter(
  orchestrator: string | undefined,
): readonly (EndpointNamePart | 'libnetwork')[] {
  switch (orchestrator) {
    case 'k8s':
      return ['pod', 'endpoint']
    case 'cni':
      return ['containerID', 'endpoint']
    case 'libnetwork':
      return ['libnetwork', 'endpoint']
    default:
      return ['workload', 'endpoint']
  }
}

/**
 * `isPrefix`: an empty part ends the name, which then ends with a dash. Throws RangeError that
 * names the part otherwise.
 */
export function endpointName(parts: EndpointNameParts, isPrefix = false): string {
  const names: readonly (EndpointNamePart | 'libnetwork')[] = [
    'node',
    'orchestrator',
    ...partsAfter(parts.orchestrator),
  ]
  const values = names.map(name => (name === 'libnetwork' ? 'libnetwork' : (parts[name] ?? '')))
  const missing = values.indexOf('')
  const given = missing === -1 ? values : values.slice(0, missing)
  const bad = given.findIndex(value => value.startsWith('-') || value.endsWith('-'))
  if (bad !== -1)
    throw new RangeError(
      `${names[bad]}: field must not ${values[bad]?.startsWith('-') ? 'begin' : 'end'} with a '-'`,
    )
  if (missing !== -1 && (!isPrefix || missing === 0))
    throw new RangeError(`${names[missing]}: field should be assigned`)
  return given.map(value => value.replaceAll('-', '--')).join('-') + (missing === -1 ? '' : '-')
}

/** Splits a name: a single dash separates parts, a double one is a dash within a part. */
export function parseEndpointName(name: string): EndpointNameParts {
  if (name === '') throw new RangeError('Cannot parse empty string')
  const [node = '', orchestrator = '', ...rest] = split(name)
  if (rest.length > 2)
    throw new RangeError(`Error parsing ${name}, verify that WorkloadEndpoint name is correct`)
  const entries = [
    ['node', node],
    ['orchestrator', orchestrator],
    ...partsAfter(orchestrator).map((part, index) => [part, rest[index] ?? '']),
  ]
  return Object.fromEntries(
    entries.filter(([part, value]) => value !== '' && part !== 'libnetwork'),
  )
}

// From the second character: a name may begin with a dash.
function split(name: string): string[] {
  return (name.slice(0, 1) + name.slice(1).replaceAll('--', '\0'))
    .split(/(?<!^)-/)
    .map(part => part.replaceAll('\0', '-'))
}

/**
 * The host's end: prefix and 11 hexadecimal digits. `prefixes` is a comma list of which the first
 * counts.
 */
export function hostInterfaceName(namespace: string, pod: string, prefixes: string): string {
  const prefix = prefixes.split(',')[0] || 'cali'
  return prefix + createHash('sha1').update(`${namespace}.${pod}`).digest('hex').slice(0, 11)
}
