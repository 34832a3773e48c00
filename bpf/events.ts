/**
 * The events that the programs hand up, read where they lie. `event.h` has the same structs in C with their meaning;
 * test/bpf/layout.test.ts compares every offset here with the compiled programs' BTF.
 */

export const EVENT = {
  exec: 1,
  connect: 2,
  cgroupMkdir: 3,
  cgroupRmdir: 4,
  stratum: 5,
  quarantine: 6,
  fpu: 7,
  process: 8,
  socket: 9,
  name: 10,
  refusedExec: 11,
} as const;

export type EventName = keyof typeof EVENT;

export const VERDICT = { none: 0, listed: 1, enforced: 2 } as const;

export const EXEC_FLAG = {
  memfd: 1,
  deleted: 2,
  upperLayer: 4,
  argsTruncated: 8,
  argsUnreadable: 16,
  known: 32,
} as const;

/** Which name of an exec was listed. */
export const NAME_MATCH = ['none', 'comm', 'filename', 'file', 'argv0'] as const;

export const CONNECT_SOURCE = { cgroupHook: 1, sockState: 2, dns: 3, tls: 4, proxy: 5 } as const;

/** Index is `enum stratum_method`. */
export const STRATUM_METHOD = [
  'none',
  'mining.subscribe',
  'mining.authorize',
  'login',
  'eth_submitLogin',
  'eth_work',
  'getjobtemplate',
  'submit',
  'keepalived',
  'mining.*',
  'bare login',
] as const;

const header = {
  size: 0,
  type: 4,
  cpu: 6,
  ktime: 8,
  tgid: 16,
  pid: 20,
  ppid: 24,
  uid: 28,
  start_time: 32,
  parent_start_time: 40,
  cgroup_id: 48,
  cgroup_v1_id: 56,
  mntns: 64,
  header_reserved: 68,
  comm: 72,
} as const;

export const HEADER_SIZE = 88;

/** Byte offsets of the members of every struct, under the names of event.h. */
export const LAYOUT = {
  event_header: { size: HEADER_SIZE, fields: header },
  exec_event: {
    size: 136,
    fields: {
      header: 0,
      inode: 88,
      dev: 96,
      flags: 100,
      changed: 104,
      fingerprint: 112,
      args_total: 120,
      filename_len: 124,
      args_len: 126,
      rule: 128,
      verdict: 132,
      match: 133,
      exec_reserved: 134,
      text: 136,
    },
  },
  connect_event: {
    size: 144,
    fields: {
      header: 0,
      cookie: 88,
      remote: 96,
      local: 112,
      remote_port: 128,
      local_port: 130,
      family: 132,
      protocol: 133,
      source: 134,
      verdict: 135,
      rule: 136,
      state: 140,
      asked_port: 142,
    },
  },
  cgroup_event: {
    size: 104,
    fields: { header: 0, id: 88, hierarchy: 96, level: 100, path_len: 102, path: 104 },
  },
  egress_event: {
    size: 136,
    fields: {
      header: 0,
      cookie: 88,
      remote: 96,
      local: 112,
      remote_port: 128,
      local_port: 130,
      family: 132,
      protocol: 133,
      method: 134,
      verdict: 135,
    },
  },
  fpu_event: { size: 96, fields: { header: 0, mxcsr: 88, samples: 92 } },
  process_event: { size: 104, fields: { header: 0, inode: 88, dev: 96, flags: 100 } },
} as const;
