// Lists captures of one kind. In: a session. Out: the objects with kind and apiVersion, which the
// API server omits from list items. A refused list is a CommandFailure.
import type { ShownCapture } from '../../api/packetcapture/printerColumns.ts'
import type { OtherApiRow } from '../format/otherApis.ts'
import { capturesPath, request, type Session } from './session.ts'

export type ListedCapture = ShownCapture | OtherApiRow

/** The captures of the session's kind, sorted by name. */
export async function listOf(session: Session, isEverywhere: boolean): Promise<ListedCapture[]> {
  const path = capturesPath(session, isEverywhere ? undefined : session.namespace)
  const { apiVersion, items } = await request<{
    readonly apiVersion: string
    readonly items: readonly ListedCapture[]
  }>(session.kube, {
    path,
    what: 'list captures',
  })
  return items.map(item => ({ ...item, apiVersion, kind: session.api }) as ListedCapture)
}

export async function listCaptures(
  session: Session,
  isEverywhere: boolean,
): Promise<ShownCapture[]> {
  return (await listOf({ ...session, api: 'PacketCapture' }, isEverywhere)) as ShownCapture[]
}
