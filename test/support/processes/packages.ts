// Which packages selcap needs at run time, by the lock file: those of package.json and theirs,
// without what only builds, what only describes types, and what is for another runtime. Out:
// folders under node_modules; nested ones lie in another's folder.
import { read } from '../repository.ts'

type Locked = {
  readonly [kind in 'dependencies' | 'optionalDependencies' | 'peerDependencies']?: Readonly<
    Record<string, string>
  >
}

const isLeftOut = (name: string): boolean =>
  ['node-gyp', 'nan', 'cpu-features', 'undici-types'].includes(name) ||
  /^(@types\/|bare-)/.test(name)

export function neededPackages(): string[] {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    readonly packages: Readonly<Record<string, Locked>>
  }
  const found = new Set<string>()
  const visit = (from: string, names: readonly string[]) => {
    for (const name of names.filter(each => !isLeftOut(each))) {
      const path = resolve(packages, from, name)
      if (path === undefined || found.has(path)) continue
      found.add(path)
      const {
        dependencies = {},
        optionalDependencies = {},
        peerDependencies = {},
      } = packages[path] ?? {}
      visit(path, Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
    }
  }
  visit('', Object.keys(packages['']?.dependencies ?? {}))
  return [...found].filter(path => path.lastIndexOf('node_modules/') === 0).toSorted()
}

/** As Node looks for it: in the folder's own node_modules, then in each one above. */
function resolve(
  packages: Readonly<Record<string, Locked>>,
  from: string,
  name: string,
): string | undefined {
  const path = `${from === '' ? '' : `${from}/`}node_modules/${name}`
  if (packages[path]) return path
  if (from === '') return undefined
  return resolve(
    packages,
    from.includes('/node_modules/') ? from.slice(0, from.lastIndexOf('/node_modules/')) : '',
    name,
  )
}
