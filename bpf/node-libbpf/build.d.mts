export interface BuildAddonOptions {
  log?: (line: string) => void;
  /** Of the result; this machine's unless given. */
  arch?: string;
  /** Such as aarch64-linux-gnu-gcc. */
  compiler?: string;
  /** Root below which its headers and libraries are. */
  sysroot?: string;
  output?: string;
}

/** Answers the addon's path. */
export function buildAddon(options?: BuildAddonOptions): Promise<string>;

/** Static libraries that go into it, by their names for the linker. */
export function staticLibraries(): string[];
