// Reads a capture document of any kind: dispatches to its API's reader. Pure. In: the document and
// its context. Out: an intent or a rejection. Later stages do not depend on the kind.
import type { Intent, Rejection } from '../model/capture.ts'
import type { CaptureDocument, World } from '../model/world.ts'
import { parsePacketCapture } from './packetcapture/spec.ts'
import { parsePacketCaptureConfig } from './packetcaptureconfig/spec.ts'
import { parseRetinaCapture } from './retina/spec.ts'

/** What the meaning of a spec depends on besides the spec. */
export type ReadContext = Pick<World, 'node' | 'settings' | 'nodeLabels' | 'namespaceLabels'>

export function readCapture(document: CaptureDocument, context: ReadContext): Intent | Rejection {
  switch (document.kind) {
    case 'PacketCapture':
      return parsePacketCapture(document, context.settings)
    case 'Capture':
      return parseRetinaCapture(document, context)
    case 'PacketCaptureConfig':
      return parsePacketCaptureConfig(document, context.settings)
  }
}
