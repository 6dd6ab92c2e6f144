// Names and numbers that the programs, the manifests in daemonset/ and the API server must agree
// on, each written once.

/**
 * Service accounts. A program's field manager, the source of its Events and its Service have the
 * same name.
 */
export const accounts = Object.freeze({
  agent: 'selcap-agent',
  controller: 'selcap-controller',
  gateway: 'selcap-gateway',
  pvcUpload: 'selcap-claim', // in the capture's namespace
})

/** The namespace of the programs. */
export const systemNamespace = 'selcap-system'

/** How the API server names a service account as a user. */
export function accountUser(namespace: string, account: string): string {
  return `system:serviceaccount:${namespace}:${account}`
}

export const ports = Object.freeze({
  agent: 9_876, // HTTPS: files and streams of a node
  metrics: 9_877,
  gateway: 8_443, // HTTPS
})

/**
 * A live stream without packets has a block each so many seconds, or a proxy on the way would end
 * it. The gateway says so in this header.
 */
export const streamAlive = Object.freeze({ seconds: 10, header: 'x-selcap-alive-seconds' })

/**
 * API groups of PacketCapture: Calico's, or selcap's own beside Calico
 * (daemonset/overlays/own-group).
 */
export const captureGroups = Object.freeze({ calico: 'projectcalico.org', own: 'selcap.dev' })

export const annotations = Object.freeze({
  pass: 'selcap.dev/pass', // on a Retina Capture: the nodes that may begin
  capture: 'selcap.dev/capture', // on a pod that copies files into a PVC: the capture's key
  forUsers: 'selcap.dev/for-users', // a label of a service account whose tokens the plugin may ask for
  podIp: 'cni.projectcalico.org/podIP', // on a pod, by Calico
  podIps: 'cni.projectcalico.org/podIPs', // on a pod, by Calico
  networkStatus: 'k8s.v1.cni.cncf.io/network-status', // on a pod, by Multus
  awsPodIps: 'vpc.amazonaws.com/pod-ips', // on a pod, by the AWS VPC CNI
})

export const labels = Object.freeze({
  name: 'app.kubernetes.io/name',
  partOf: 'app.kubernetes.io/part-of',
  resultsOf: 'networking.packet.io/capture', // on a ConfigMap: the uid of the PacketCaptureConfig
  statefulSetPod: 'statefulset.kubernetes.io/pod-name',
})

/** Labels that Calico gives every workload endpoint. */
export const endpointLabels = Object.freeze({
  namespace: 'projectcalico.org/namespace',
  orchestrator: 'projectcalico.org/orchestrator',
  serviceAccount: 'projectcalico.org/serviceaccount',
  name: 'projectcalico.org/name', // of the namespace or service account, behind the prefix pcns. or pcsa.
})

/** Retina's own, and of selcap before 0.2: taken away wherever it is found. */
export const retinaFinalizer = 'kappio.io/capture-cleanup'
