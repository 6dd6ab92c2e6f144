// Which kinds of capture a program serves beside PacketCapture: the overlays of daemonset/ say so.
import { InvalidArgumentError, Option } from 'commander'
import type { Api } from '../model/capture.ts'

const named: Readonly<Record<string, Api>> = { retina: 'Capture', packetcaptureconfig: 'PacketCaptureConfig' }

export function apisOption(): Option {
  return new Option('--apis <names>', `other APIs to serve, of ${Object.keys(named).join(', ')}`)
    .env('CAPTURE_APIS')
    .argParser(apisIn)
    .default(apisIn(''), 'none')
}

function apisIn(text: string): Api[] {
  const names = text.split(',').map(name => name.trim())
  const others = names
    .filter(name => name !== '')
    .map(name => {
      const api = named[name]
      if (api === undefined) throw new InvalidArgumentError(`Found "${name}", expected ${Object.keys(named).join(' or ')}.`)
      return api
    })
  return ['PacketCapture', ...new Set(others)]
}
