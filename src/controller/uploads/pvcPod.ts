// The pod that writes a capture's files into a PersistentVolumeClaim, in the capture's namespace.
// In: what is to be copied. Out: the pod. It runs `selcap download` with its own token, which the
// gateway authorizes like any user's. It meets the restricted Pod Security Standard and mounts
// nothing but the claim. The capture owns it, so it is deleted with the capture.
import { apiWords, type CaptureRef, captureKey } from '../../model/captureRef.ts'
import { accounts, annotations, labels } from '../../model/wellKnown.ts'

/**
 * A ServiceAccount of the capture's namespace, whose administrator grants it the captures it may
 * read.
 */
export const pvcAccount = accounts.pvcUpload
const mounted = '/claim'
const terminationMessagePath = '/dev/termination-log' // where the kubelet reads the termination message
const deadlineSeconds = 86_400

export type PvcPodInput = {
  readonly capture: CaptureRef
  readonly apiVersion: string // of the capture
  readonly claim: string
  readonly folder: string // within the claim
  readonly image: string
}

/** The fields that pvcVerify.ts compares after the pod has ended. */
export type PvcPod = {
  readonly metadata: { readonly ownerReferences: readonly [{ readonly uid: string }] }
  readonly spec: {
    readonly serviceAccountName: string
    readonly containers: readonly [
      { readonly name: string; readonly image: string; readonly command: readonly string[] },
    ]
    readonly initContainers?: readonly object[]
    readonly ephemeralContainers?: readonly object[]
  }
}

export function pvcPodName({ uid }: CaptureRef): string {
  return `${pvcAccount}-${uid}`
}

export function pvcPod({ capture, apiVersion, claim, folder, image }: PvcPodInput): PvcPod {
  const { api, namespace, name, uid } = capture
  const command = [
    'selcap',
    'download',
    name,
    '--api',
    apiWords[api],
    '--namespace',
    namespace,
    '--dest',
    `${mounted}/${folder}`,
  ]
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: pvcPodName(capture),
      namespace,
      labels: { [labels.name]: pvcAccount, [labels.partOf]: 'selcap' },
      annotations: { [annotations.capture]: captureKey(capture) },
      ownerReferences: [{ apiVersion, kind: api, name, uid }],
    },
    spec: {
      serviceAccountName: pvcAccount,
      restartPolicy: 'OnFailure',
      activeDeadlineSeconds: deadlineSeconds,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65_532,
        runAsGroup: 65_532,
        fsGroup: 65_532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'copy',
          image,
          command: [...command, '--proof', terminationMessagePath],
          terminationMessagePath: terminationMessagePath,
          volumeMounts: [{ name: 'claim', mountPath: mounted }],
          resources: { requests: { cpu: '50m', memory: '160Mi' }, limits: { memory: '512Mi' } },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
      volumes: [{ name: 'claim', persistentVolumeClaim: { claimName: claim } }],
    },
  } as const
  return pod
}
