/**
 * The steps of a path such as `spec.containers[0].args[1]` or `data["config.json"]`: names and indexes. Undefined when it
 * is no path into an object, such as the name of a process field.
 */
export function objectPath(path: string): (string | number)[] | undefined {
  const steps: (string | number)[] = [];
  const step = /\.?([^.[\]"]+)|\[(\d{1,6})\]|\[("(?:[^"\\]|\\.)*")\]/y;
  while (step.lastIndex < path.length) {
    const [, name, index, quoted] = step.exec(path) ?? [];
    const key = name ?? (quoted === undefined ? undefined : unquoted(quoted));
    if (key !== undefined) steps.push(key);
    else if (index !== undefined) steps.push(Number(index));
    else return undefined;
  }
  return steps.length === 0 ? undefined : steps;
}

function unquoted(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}
