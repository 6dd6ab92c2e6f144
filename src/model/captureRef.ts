// The identity of a resource that asks for a capture, and the kinds of such resources. Imports
// nothing, so that every other type of the model may name a capture.

/**
 * The kinds of resource that ask for captures: PacketCapture, Retina's Capture,
 * PacketCaptureConfig.
 */
export const apis = ['PacketCapture', 'Capture', 'PacketCaptureConfig'] as const
export type Api = (typeof apis)[number]

/** What users call the kinds, in options and settings. */
export const apiWords: Readonly<Record<Api, string>> = {
  PacketCapture: 'packetcapture',
  Capture: 'retina',
  PacketCaptureConfig: 'packetcaptureconfig',
}

/** undefined: no kind has this name. */
export function apiOfWord(word: string): Api | undefined {
  return apis.find(api => apiWords[api] === word)
}

/** Files belong to all four fields: the same name with a new uid is another capture. */
export type CaptureRef = {
  readonly api: Api
  readonly namespace: string // '' of a cluster-scoped resource
  readonly name: string
  readonly uid: string
}

/**
 * The key of a capture in every map, and its directory under captureDir. A namespace has no dot in
 * its name, so the keys of captures of different kinds never collide.
 */
export function captureKey({
  api = 'PacketCapture',
  namespace,
  name,
}: Pick<CaptureRef, 'namespace' | 'name'> & { readonly api?: Api }): string {
  switch (api) {
    case 'PacketCapture':
      return `${namespace}/${name}`
    case 'Capture':
      return `${namespace}.retina.sh/${name}`
    case 'PacketCaptureConfig':
      return `networking.packet.io/${name}`
  }
}
