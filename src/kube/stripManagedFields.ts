// Removes metadata.managedFields to save memory.
import type { KubeObject } from './informer.ts'

export function stripManagedFields<T extends KubeObject>(object: T): T {
  return { ...object, metadata: { ...object.metadata, managedFields: undefined } }
}
