import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubesentryError } from '../api/errors.ts';
import { issueServingPair, makeAuthority } from '../certs/authority.ts';
import { checkServingPair } from '../certs/pair.ts';
import type { Certificates } from '../certs/renewal.ts';
import { ensureCertificates, readCertificates } from '../certs/secret.ts';
import type { Cluster, ObjectKey } from '../kube/cluster.ts';
import { type CertificateSource, FixedCertificate, type ServingCertificate } from './certificates.ts';
import type { Log } from './log.ts';

/** How often a Secret or a folder is read again. */
const RELOAD_MS = 60_000;

/** One of our own for these names, kept nowhere: for a webhook that lives as long as its cluster. */
export async function ephemeralCertificate(hosts: readonly string[]): Promise<FixedCertificate> {
  const authority = await makeAuthority();
  const serving = await issueServingPair(authority, hosts);
  return new FixedCertificate({
    cert: serving.certificate,
    key: serving.key,
    caBundle: authority.certificate,
  });
}

export interface ReloadedCertificate extends CertificateSource {
  /** Reads again now, not only every minute. */
  reload(): Promise<void>;
  close(): void;
}

/**
 * From a Secret that the replicas share. The leader renews it before it ends, and repairs it; the others read what is
 * there. Only a replica that could not serve at all when it starts makes one itself.
 */
export async function certificateFromSecret(
  cluster: Cluster,
  key: ObjectKey,
  hosts: readonly string[],
  log: Log,
): Promise<ReloadedCertificate> {
  const shown = ({ caBundle, serving }: Certificates): ServingCertificate => ({
    cert: serving.certificate,
    key: serving.key,
    caBundle,
  });
  const onRepair = (reason: string) => log.info({ secret: key.name, reason }, 'renews the certificates');
  const keep = async () => shown(await ensureCertificates(cluster, key, hosts, { onRepair }));
  const read = async () => shown(await readCertificates(cluster, key, hosts));
  let leads = false;
  const first = await read().catch((error: unknown) => {
    if (error instanceof KubesentryError && error.code === 'CERTIFICATE_INVALID') return keep();
    throw error;
  });
  const source = reloaded(first, () => (leads ? keep() : read()), log);
  return Object.assign(source, {
    lead(now: boolean) {
      leads = now;
      if (leads) void source.reload();
    },
  });
}

/**
 * From a folder with tls.crt, tls.key and ca.crt, as cert-manager's Secret is mounted. Others renew it: what is corrupt,
 * expired, foreign or lacks one of `hosts` is refused with the reason, and what was read before goes on.
 */
export async function certificateFromFolder(
  folder: string,
  hosts: readonly string[],
  log: Log,
): Promise<ReloadedCertificate> {
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const load = async () => {
    try {
      const certificate = { cert: read('tls.crt'), key: read('tls.key'), caBundle: read('ca.crt') };
      const { cert, key, caBundle } = certificate;
      checkServingPair(caBundle, { certificate: cert, key }, hosts, Date.now());
      return certificate;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new KubesentryError('CERTIFICATE_INVALID', `No usable certificate in ${folder}: ${why}`, {
        cause,
      });
    }
  };
  return reloaded(await load(), load, log);
}

/** Failures of later readings keep what was read before, and are logged. */
function reloaded(
  first: ServingCertificate,
  read: () => Promise<ServingCertificate>,
  log: Log,
): ReloadedCertificate {
  const source = new FixedCertificate(first);
  const reload = async () => {
    try {
      const next = await read();
      const { cert, caBundle } = source.current;
      if (next.cert !== cert || next.caBundle !== caBundle) source.replace(next);
    } catch (error) {
      log.warn({ err: error }, 'the serving certificate could not be read again; the one before is kept');
    }
  };
  const timer = setInterval(() => void reload(), RELOAD_MS);
  timer.unref();
  return {
    get current() {
      return source.current;
    },
    onChange: (changed) => source.onChange(changed),
    lead() {},
    reload,
    close: () => clearInterval(timer),
  };
}
