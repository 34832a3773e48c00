/**
 * The steps of a path such as `spec.containers[0].args[1]` or `data["config.json"]`: names and indexes. Undefined when it
 * is no path into an object, such as the name of a process field.
 */
export function objectPath(path: string): (string | number)[] | undefined {
  const steps: (string | number)[] = [];
  const step = /\.?([^.[\]"]+)|\[(\d{1,6})\]|\[("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")\]/y;
  while (step.lastIndex < path.length) {
    const [, name, index, quoted] = step.exec(path) ?? [];
    if (name !== undefined) steps.push(name);
    else if (index !== undefined) steps.push(Number(index));
    else if (quoted !== undefined) steps.push(JSON.parse(quoted) as string);
    else return undefined;
  }
  return steps.length === 0 ? undefined : steps;
}
