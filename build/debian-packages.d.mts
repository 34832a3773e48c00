export function ensurePackages(names: string[], options: { log: (line: string) => void }): Promise<void>;
