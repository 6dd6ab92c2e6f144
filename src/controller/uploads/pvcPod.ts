// The pod that writes a capture's files into a PersistentVolumeClaim: in the capture's namespace, for as long as that takes. It runs
// `selcap download` with a token of its own, which the gateway judges like anybody's, fits the restricted standard, and mounts the
// claim and nothing else. It goes with the capture. In: what is to be copied. Out: the pod, as data.
import { apiWords, type CaptureRef, captureKey } from '../../model/captureRef.ts'
import { accounts, annotations, labels } from '../../model/wellKnown.ts'

/** Of the capture's namespace; whoever administers that says what it may read. */
export const pvcAccount = accounts.pvcUpload
const mounted = '/claim'
const shellText = '/dev/termination-log' // where kubelets look for it
const secondsMost = 86_400

export type PvcPodInput = {
  readonly capture: CaptureRef
  readonly apiVersion: string // of the capture
  readonly claim: string
  readonly folder: string // within the claim
  readonly image: string
}

/** What of a pod is looked at again when it has ended. */
export type PvcPod = {
  readonly metadata: { readonly ownerReferences: readonly [{ readonly uid: string }] }
  readonly spec: {
    readonly serviceAccountName: string
    readonly containers: readonly [{ readonly name: string; readonly image: string; readonly command: readonly string[] }]
    readonly initContainers?: readonly object[]
    readonly ephemeralContainers?: readonly object[]
  }
}

export function pvcPodName({ uid }: CaptureRef): string {
  return `${pvcAccount}-${uid}`
}

export function pvcPod({ capture, apiVersion, claim, folder, image }: PvcPodInput): PvcPod {
  const { api, namespace, name, uid } = capture
  const command = ['selcap', 'download', name, '--api', apiWords[api], '--namespace', namespace, '--dest', `${mounted}/${folder}`]
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
      activeDeadlineSeconds: secondsMost,
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
          command: [...command, '--proof', shellText],
          terminationMessagePath: shellText,
          volumeMounts: [{ name: 'claim', mountPath: mounted }],
          resources: { requests: { cpu: '50m', memory: '160Mi' }, limits: { memory: '512Mi' } },
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        },
      ],
      volumes: [{ name: 'claim', persistentVolumeClaim: { claimName: claim } }],
    },
  } as const
  return pod
}
