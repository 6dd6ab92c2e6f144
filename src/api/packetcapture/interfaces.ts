// Reads `spec.interfaces`: which interfaces inside a pod. Pure. Out: the entries, each once;
// undefined for none. Throws RangeError that names the field below spec.
import { isGiven, show } from '../fields.ts'

const entriesMax = 16
const interfaceName = /^(?!\.{1,2}$)[A-Za-z0-9_.+@*?-]{1,15}$/
const network = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\/[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/

export function readInterfaces(value: unknown): readonly string[] | undefined {
  if (!isGiven(value)) return undefined
  if (!Array.isArray(value))
    throw new RangeError(`interfaces: found ${show(value)}, expected a list of names`)
  if (value.length > entriesMax)
    throw new RangeError(
      `interfaces: found ${value.length} entries, expected at most ${entriesMax}; a wildcard such as "net*" takes many`,
    )
  for (const [index, entry] of value.entries())
    if (typeof entry !== 'string' || !(interfaceName.test(entry) || network.test(entry)))
      throw new RangeError(
        `interfaces[${index}]: found ${show(entry)}, expected the name of an interface (at most 15 characters: letters, digits, - _ . + @, and the wildcards * and ?), or namespace/name of an attached network`,
      )
  return value.length === 0 ? undefined : [...new Set<string>(value)]
}
