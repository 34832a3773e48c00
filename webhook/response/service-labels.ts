/** The labels that Services and owners go by. */
export type Labels = Readonly<Record<string, string>>;

export interface Taking {
  /** Labels to take from the pod, so that as few Services as possible select it. */
  taken: Labels;
  /** Services that select it all the same: their selector has no label that the owner does not need as well. */
  kept: string[];
}

/**
 * Which labels take a pod out of the Services that select it. One label is enough for each Service. What its owner
 * selects it by stays: without such a label the pod would be orphaned, the owner would make another one, and neither
 * would be found again as part of the workload. Pure.
 */
export function labelsToTake(
  labels: Labels,
  services: readonly { name: string; selector: Labels }[],
  ownerKeys: ReadonlySet<string>,
): Taking {
  const taken: Record<string, string> = {};
  const kept: string[] = [];
  for (const { name, selector } of services) {
    const keys = Object.keys(selector).sort();
    const selects = keys.length > 0 && keys.every((key) => labels[key] === selector[key]);
    if (!selects || keys.some((key) => key in taken)) continue;
    const key = keys.find((each) => !ownerKeys.has(each));
    const value = key === undefined ? undefined : labels[key];
    if (key === undefined || value === undefined) kept.push(name);
    else taken[key] = value;
  }
  return { taken, kept };
}
