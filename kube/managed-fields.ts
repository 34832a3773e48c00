import type { Stored } from './cluster.ts';

/** The object without the book-keeping of who wrote which field: it is long, and nobody here reads it. */
export function withoutManagedFields<T extends Stored>(object: T): T {
  const metadata = { ...object.metadata } as T['metadata'] & { managedFields?: unknown };
  delete metadata.managedFields;
  return { ...object, metadata };
}
