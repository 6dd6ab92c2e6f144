// Lists the interfaces of a network namespace that may be gone.
// In: a driver and the path of a namespace. Out: its interfaces; none if the driver refuses with TapError.
import { TapError } from '../model/errors.ts'
import type { Driver, Link } from './driver.ts'

export async function linksIfThere(driver: Pick<Driver, 'links'>, netns: string | undefined): Promise<readonly Link[]> {
  try {
    return await driver.links(netns)
  } catch (error) {
    if (error instanceof TapError) return []
    throw error
  }
}
