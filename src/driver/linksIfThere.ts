// Lists the interfaces of a network namespace that may be gone.
// In: a driver and the path of a namespace. Out: its interfaces; none if they cannot be listed.
import { isExpected } from '../model/errors.ts'
import type { Driver, Link } from './driver.ts'

export async function linksIfThere(
  driver: Pick<Driver, 'links'>,
  netns: string | undefined,
): Promise<readonly Link[]> {
  try {
    return await driver.links(netns)
  } catch (error) {
    if (!isExpected(error)) throw error
    return []
  }
}
