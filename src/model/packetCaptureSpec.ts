// A PacketCapture's spec as a user writes it, defaults not yet applied. Made from
// crds/packetcapture.yaml by scripts/specTypes.ts: change the CRD, and run that.

export type PacketCaptureSpec = {
  readonly selector?: string
  readonly filters?: readonly {
    readonly protocol?: string | number
    readonly ports?: readonly (string | number)[]
  }[]
  readonly startTime?: string
  readonly endTime?: string
  readonly expression?: string
  readonly limits?: {
    readonly durationSeconds?: number
    readonly packets?: number
    readonly bytes?: number
  }
  readonly rotation?: {
    readonly maxSizeBytes?: number
    readonly seconds?: number
    readonly maxFiles?: number
  }
  readonly snapLength?: number
  readonly payload?: 'Full' | 'Headers'
  readonly format?: 'pcap' | 'pcapng'
  readonly vantage?: 'Auto' | 'HostVeth' | 'PodNetns'
  readonly interfaces?: readonly string[]
  readonly schedule?: {
    readonly cron: string
    readonly timeZone?: string
    readonly durationSeconds: number
  }
  readonly output?: {
    readonly s3Upload?: {
      readonly bucket: string
      readonly secretName: string
      readonly endpoint?: string
      readonly region?: string
      readonly path?: string
      readonly pathStyle?: boolean
    }
    readonly blobUpload?: string
    readonly sftp?: {
      readonly host: string
      readonly port?: number
      readonly path?: string
      readonly secretName: string
    }
    readonly persistentVolumeClaim?: string
    readonly cleanUpAfterUpload?: boolean
  }
  readonly ttlSecondsAfterFinished?: number
}
