// Where on a node a capture's archives are stored: a path below the administrator's directory, by
// Retina's rules and in its words. Pure. In: the path and the base. Out: the place. Throws
// RangeError. src/artifacts follows no symbolic links below the base.
import type { HostPlace } from '../../model/artifact.ts'

const standardBase = '/var/log/retina/captures'

/** `base`: the administrator's absolute directory; '': Retina's default. */
export function hostPlace(raw: string, base: string): HostPlace {
  const root = base === '' ? standardBase : base
  if (!root.startsWith('/'))
    throw new RangeError(
      `invalid hostPath base directory: ${JSON.stringify(base)} must be absolute`,
    )
  return { base: `/${cleaned(root).join('/')}`, below: hostPathParts(raw) }
}

/** The names of a relative path that stays below its base. */
function hostPathParts(raw: string): string[] {
  if (raw === '') throw new RangeError('hostPath is empty')
  if (/^([/\\]|[A-Za-z]:[/\\])/.test(raw))
    throw new RangeError(
      `hostPath must be a relative subpath name, not an absolute path: ${JSON.stringify(raw)}`,
    )
  if (raw.split(/[/\\]/).includes('..'))
    throw new RangeError(`hostPath must not contain '..' path segments: ${JSON.stringify(raw)}`)
  const parts = cleaned(raw)
  if (parts.length === 0) throw new RangeError('hostPath is empty')
  if (raw.includes('\0'))
    throw new RangeError('hostPath resolves outside the configured base directory')
  return parts
}

function cleaned(path: string): string[] {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts
}
