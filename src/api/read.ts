// Any capture document to an intent or a rejection: each kind has its reader. Pure. What follows asks for no kind any more.
import type { Intent, Rejection } from '../model/capture.ts'
import type { CaptureDocument, World } from '../model/world.ts'
import { toIntent } from './packetcapture/spec.ts'
import { readPacketCaptureConfig } from './packetcaptureconfig/spec.ts'
import { retinaIntent } from './retina/spec.ts'

/** What a spec may depend on besides itself. */
export type ReadContext = Pick<World, 'node' | 'settings' | 'nodeLabels' | 'namespaceLabels'>

export function readCapture(document: CaptureDocument, surroundings: ReadContext): Intent | Rejection {
  switch (document.kind) {
    case 'PacketCapture':
      return toIntent(document, surroundings.settings)
    case 'Capture':
      return retinaIntent(document, surroundings)
    case 'PacketCaptureConfig':
      return readPacketCaptureConfig(document, surroundings.settings)
  }
}
