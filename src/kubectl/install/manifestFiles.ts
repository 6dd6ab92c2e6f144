// The manifests that `install` applies, as they lie in daemonset and crds. In: nothing. Out: their
// texts by path. In the bundle of the plugin scripts/bundle.mjs puts the texts in place of this
// file. Refuses where neither is there, as in the image.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ExpectedError } from '../../model/errors.ts'

const folders = ['crds', 'daemonset/base', 'daemonset/apis', 'daemonset/components']

export async function manifestFiles(): Promise<Readonly<Record<string, string>>> {
  const root = join(import.meta.dirname, '..', '..', '..')
  try {
    const texts: Record<string, string> = {}
    for (const folder of folders) {
      const names = await readdir(join(root, folder), { recursive: true, encoding: 'utf8' })
      for (const name of names.filter(each => /\.(yaml|json)$/.test(each)))
        texts[`${folder}/${name}`] = await readFile(join(root, folder, name), 'utf8')
    }
    return texts
  } catch (error) {
    throw new ExpectedError(
      `Cannot install: the manifests are not here, expected a checkout or the plugin's one file: ${(error as Error).message}`,
      { cause: error },
    )
  }
}
