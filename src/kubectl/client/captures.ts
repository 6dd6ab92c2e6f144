// Lists captures of one kind. In: a session. Out: the objects with kind and version, which the API server leaves out of the items of
// a list. A list that is refused is a CommandFailure.
import type { ShownCapture } from '../../api/packetcapture/printerColumns.ts'
import type { OtherApiRow } from '../format/otherApis.ts'
import { capturesPath, request, type Session } from './session.ts'

export type ListedCapture = ShownCapture | OtherApiRow

/** Of the session's kind, in the order of their names. */
export async function listOf(session: Session, isEverywhere: boolean): Promise<ListedCapture[]> {
  const path = capturesPath(session, isEverywhere ? undefined : session.namespace)
  const { apiVersion, items } = await request<{ readonly apiVersion: string; readonly items: readonly ListedCapture[] }>(session.kube, {
    path,
    what: 'list captures',
  })
  return items.map(item => ({ ...item, apiVersion, kind: session.api }) as ListedCapture)
}

export async function listCaptures(session: Session, isEverywhere: boolean): Promise<ShownCapture[]> {
  return (await listOf({ ...session, api: 'PacketCapture' }, isEverywhere)) as ShownCapture[]
}
