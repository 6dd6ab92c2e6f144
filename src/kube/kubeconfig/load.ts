// Finds and merges kubeconfig files by kubectl's rules. In: --kubeconfig and the environment. Out:
// one kubeconfig: of each name the first file's definition, and the first current context. Files of
// $KUBECONFIG that are missing or empty are passed over. Refuses with CommandFailure a --kubeconfig
// that is missing, and a file that cannot be read.
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { CommandFailure, isExpected } from '../../model/errors.ts'
import { type Kubeconfig, parseKubeconfig } from './parse.ts'

export async function loadKubeconfig(
  given: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Kubeconfig> {
  const files = given ? [given] : kubeconfigFiles(env)
  const found = await Promise.all(files.map(file => readOne(file, given !== undefined)))
  return mergeKubeconfigs(found.filter(each => each !== undefined))
}

/** The files that kubectl looks for, in their order. */
export function kubeconfigFiles(env: NodeJS.ProcessEnv): string[] {
  if (!env.KUBECONFIG) return [join(env.HOME || homedir(), '.kube', 'config')]
  return [...new Set(env.KUBECONFIG.split(delimiter))].filter(file => file !== '')
}

export function mergeKubeconfigs(files: readonly Kubeconfig[]): Kubeconfig {
  const backwards = files.toReversed() // the first definition of a name is set last
  return {
    currentContext: files.find(({ currentContext }) => currentContext !== '')?.currentContext ?? '',
    clusters: new Map(backwards.flatMap(({ clusters }) => [...clusters])),
    users: new Map(backwards.flatMap(({ users }) => [...users])),
    contexts: new Map(backwards.flatMap(({ contexts }) => [...contexts])),
  }
}

async function readOne(file: string, isGiven: boolean): Promise<Kubeconfig | undefined> {
  try {
    return parseKubeconfig(await readFile(file, 'utf8'), file)
  } catch (error) {
    if (!isExpected(error)) throw error
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !isGiven) return undefined
    throw new CommandFailure(
      'usage',
      `Cannot use the kubeconfig "${file}": ${error.message}`,
      error,
    )
  }
}
