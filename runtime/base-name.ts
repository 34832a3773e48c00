/** What stands behind the last slash of a path; all of it where there is none. Called for every exec. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
