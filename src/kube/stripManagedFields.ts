// An object without the list of who manages which of its fields: it is long, and nobody here asks for it.
import type { KubeObject } from './informer.ts'

export function stripManagedFields<T extends KubeObject>(object: T): T {
  return { ...object, metadata: { ...object.metadata, managedFields: undefined } }
}
