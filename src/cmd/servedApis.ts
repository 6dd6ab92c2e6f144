// The --apis option: which kinds are served besides PacketCapture. In: names, repeated or
// separated by commas. Refuses an unknown name. Each component of daemonset/ sets it.
import { InvalidArgumentError, Option } from 'commander'
import { type Api, apiOfWord, apis, apiWords } from '../model/captureRef.ts'

const ownApi: Api = 'PacketCapture' // served always
const otherApis = apis.filter(api => api !== ownApi).map(api => apiWords[api])

export function apisOption(): Option {
  return new Option(
    '--apis <names>',
    `other APIs to serve, of ${otherApis.join(', ')}; may be given again`,
  )
    .env('CAPTURE_APIS')
    .argParser(apisIn)
    .default(apisIn(''), 'none')
}

function apisIn(text: string, before: readonly Api[] = [ownApi]): Api[] {
  const names = text.split(',').map(name => name.trim())
  const asked = names
    .filter(name => name !== '')
    .map(name => {
      const api = otherApis.includes(name) ? apiOfWord(name) : undefined
      if (api === undefined)
        throw new InvalidArgumentError(`Found "${name}", expected ${otherApis.join(' or ')}.`)
      return api
    })
  return [...new Set([...before, ...asked])]
}
