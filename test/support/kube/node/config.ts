// The configuration files of a node's programs, as text. In: where things lie. Out: what the
// programs read.
import { busyboxName, pauseName } from './image.ts'
import { podNetwork } from './space.ts'

export const containerdSocket = '/run/containerd/containerd.sock' // in the node's own /run

export function containerdConfig(directory: string): string {
  return `version = 3
root = "${directory}/containerd"
state = "/run/containerd"

[grpc]
address = "${containerdSocket}"

[plugins.'io.containerd.cri.v1.images']
snapshotter = "overlayfs"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "${pauseName}"

[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "${directory}/cni"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = false
`
}

/** A point-to-point veth for each pod: nothing of its name can be derived. */
export function networkConfig(): string {
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet: podNetwork }]],
    routes: [{ dst: '0.0.0.0/0' }],
  }
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [{ type: 'ptp', ipMasq: false, ipam }],
  })
}

export function kubeletConfig(address: string, cgroup: string): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' }, // it listens on an address that only the node's own namespace has
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    cgroupsPerQOS: false,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    enforceNodeAllocatable: [],
    evictionHard: {
      'memory.available': '1Mi',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
    },
    failCgroupV1: false,
    failSwapOn: false,
    imageGCHighThresholdPercent: 100,
    localStorageCapacityIsolation: false,
    makeIPTablesUtilChains: false,
    resolvConf: '',
  })
}

/** A pod that sleeps, or does what `command` says; with its labels. */
export function busyboxPod(
  namespace: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  command = 'sleep 1000000',
): string {
  const container = {
    name: 'main',
    image: busyboxName,
    imagePullPolicy: 'Never',
    command: ['/bin/sh', '-c', command],
  }
  const spec = { containers: [container], terminationGracePeriodSeconds: 1 }
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels },
    spec,
  })
}
