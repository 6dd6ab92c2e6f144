// Calico's FelixConfiguration, as far as selcap reads it: the definition to serve it by, and
// objects.
export const felixDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'felixconfigurations.crd.projectcalico.org' },
  spec: {
    group: 'crd.projectcalico.org',
    scope: 'Cluster',
    names: {
      plural: 'felixconfigurations',
      singular: 'felixconfiguration',
      kind: 'FelixConfiguration',
      listKind: 'FelixConfigurationList',
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        },
      },
    ],
  },
}

export function felix(name: string, spec: object): object {
  return {
    apiVersion: 'crd.projectcalico.org/v1',
    kind: 'FelixConfiguration',
    metadata: { name },
    spec,
  }
}
