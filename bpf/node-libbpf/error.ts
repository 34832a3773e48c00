/** What the kernel or libbpf refused. */
export class BpfError extends Error {
  override readonly name = 'BpfError';
  /** The errno's name: `EPERM`, `ENOENT`, `EINVAL`, ... */
  readonly code: string;
  /** What was being done: `open`, `load`, `attach`, `map.set`, ... */
  readonly operation: string;
  /** What libbpf said meanwhile, the verifier's log included; empty where it said nothing. At most 1 MiB, the end of it. */
  readonly log: string;

  constructor(code: string, operation: string, message: string, log = '') {
    super(message);
    this.code = code;
    this.operation = operation;
    this.log = log;
  }
}
