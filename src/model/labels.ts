// Labels or annotations of a Kubernetes object, as its metadata holds them.

export type Labels = Readonly<Record<string, string>>
