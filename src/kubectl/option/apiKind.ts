// Resolves the kind of capture a command works on. In: --api, or the name alone. Out: a session
// for that kind. Without --api it looks the name up in every installed kind, PacketCapture first.
// Refuses a name that several kinds have, and lists their full names.

import { type Command, InvalidArgumentError, Option } from 'commander'
import { listPath, resourceOf } from '../../kube/resources.ts'
import { type Api, apiOfWord, apis, apiWords } from '../../model/captureRef.ts'
import { CommandFailure } from '../../model/errors.ts'
import { capturesPath, requestIfAllowed, type Session } from '../client/session.ts'

const words = Object.values(apiWords).join(', ')

export function withApi(command: Command): Command {
  const option = new Option(
    '--api <kind>',
    `which kind of capture: ${words}; default: whichever has the name`,
  )
  return command.addOption(option.argParser(apiIn))
}

function apiIn(text: string): Api {
  const api = apiOfWord(text.toLowerCase())
  if (api === undefined) throw new InvalidArgumentError(`Expected ${words}.`)
  return api
}

/** The kinds that the API server serves; always includes PacketCapture. */
export async function servedApis({ kube, group }: Session): Promise<Api[]> {
  type Resources = { readonly resources?: readonly { readonly name: string }[] }
  const isServed = async (api: Api): Promise<boolean> => {
    const path = listPath(api, group).split('/').slice(0, -1).join('/')
    const found = await requestIfAllowed<Resources>(kube, { path, what: 'ask what is served' })
    return found?.resources?.some(({ name }) => name === resourceOf(api, group).resource) === true
  }
  const served = await Promise.all(
    apis.map(async api => api === 'PacketCapture' || (await isServed(api))),
  )
  return apis.filter((_, index) => served[index])
}

/** A session for the kind that has a capture of that name, or for PacketCapture if no kind has. */
export async function sessionFor(session: Session, name: string): Promise<Session> {
  if (session.options.api !== undefined) return session
  const served = await servedApis(session)
  const isThere = async (api: Api): Promise<boolean> => {
    const path = capturesPath({ ...session, api }, session.namespace, name)
    return (
      (await requestIfAllowed(session.kube, { path, what: `look for capture "${name}"` })) !==
      undefined
    )
  }
  const there =
    served.length === 1
      ? served
      : await Promise.all(served.map(async api => ((await isThere(api)) ? [api] : []))).then(all =>
          all.flat(),
        )
  if (there.length > 1) {
    const found = there.map(api => apiKindOf(session, api, name)).join(' and ')
    throw new CommandFailure(
      'usage',
      `Cannot tell which capture "${name}" is meant: found ${found}; expected --api`,
    )
  }
  return { ...session, api: there[0] ?? 'PacketCapture' }
}

/** packetcapture.GROUP/NAME and the like, which kubectl accepts as an argument. */
export function apiKindOf({ group }: Pick<Session, 'group'>, api: Api, name: string): string {
  return `${kindWord(group, api)}/${name}`
}

export function kindWord(group: string, api: Api): string {
  return `${api.toLowerCase()}.${resourceOf(api, group).group}`
}
