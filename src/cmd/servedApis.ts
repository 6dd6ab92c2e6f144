// Which kinds of capture a program serves beside PacketCapture: the components of daemonset/ say so, each for itself.
import { InvalidArgumentError, Option } from 'commander'
import { type Api, apiOfWord, apis, apiWords } from '../model/capture.ts'

const own: Api = 'PacketCapture' // served always
const others = apis.filter(api => api !== own).map(api => apiWords[api])

export function apisOption(): Option {
  return new Option('--apis <names>', `other APIs to serve, of ${others.join(', ')}; may be given again`)
    .env('CAPTURE_APIS')
    .argParser(apisIn)
    .default(apisIn(''), 'none')
}

function apisIn(text: string, before: readonly Api[] = [own]): Api[] {
  const names = text.split(',').map(name => name.trim())
  const asked = names
    .filter(name => name !== '')
    .map(name => {
      const api = others.includes(name) ? apiOfWord(name) : undefined
      if (api === undefined) throw new InvalidArgumentError(`Found "${name}", expected ${others.join(' or ')}.`)
      return api
    })
  return [...new Set([...before, ...asked])]
}
