// The node's configuration, by Felix's names. Read by src/config/readSettings.ts from FELIX_…
// variables and a file.
import { ports } from './wellKnown.ts'

export type Settings = {
  readonly captureDir: string
  readonly captureMaxSizeBytes: number
  readonly captureRotationSeconds: number
  readonly captureMaxFiles: number
  readonly captureDiskBytesMax: number
  readonly captureDiskFreePercentMin: number
  readonly captureRingBytesMax: number
  readonly captureBufferBytesMax: number // of all taps together
  readonly captureEndpointsMax: number
  readonly captureHostPathBaseDir: string // hostPath of Retina's Captures lies below it
  readonly captureJobNumLimit: number // nodes that one of Retina's Captures may take; 0: any number
  readonly interfacePrefix: string // FELIX_INTERFACEPREFIX, the first of its comma-separated list
  readonly logLevel: string
  readonly packetCapturesDir: string
  readonly maxCaptureFiles: number // of packetCapturesDir
  readonly maxCaptureFileSizeMb: number // of 1,000,000 bytes
  readonly agentPort: number // where the gateway requests files
  readonly metricsPort: number
  readonly outputHttp: 'Refused' | 'Allowed' // for stores without TLS
  readonly outputHostsAllowed: string // comma-separated; empty: all
  readonly outputAddressesAllowed: string // comma-separated ranges that are refused by default
}

export const defaultSettings: Settings = Object.freeze({
  captureDir: '/var/log/calico/pcap',
  captureMaxSizeBytes: 10_000_000,
  captureRotationSeconds: 3_600,
  captureMaxFiles: 2,
  captureDiskBytesMax: 10_737_418_240,
  captureDiskFreePercentMin: 15,
  captureRingBytesMax: 134_217_728,
  captureBufferBytesMax: 67_108_864,
  captureEndpointsMax: 1_000,
  captureHostPathBaseDir: '/var/log/retina/captures',
  captureJobNumLimit: 0,
  interfacePrefix: 'cali',
  logLevel: 'info',
  packetCapturesDir: '/var/lib/packet-captures',
  maxCaptureFiles: 5,
  maxCaptureFileSizeMb: 10,
  agentPort: ports.agent,
  metricsPort: ports.metrics,
  outputHttp: 'Refused',
  outputHostsAllowed: '',
  outputAddressesAllowed: '',
})
