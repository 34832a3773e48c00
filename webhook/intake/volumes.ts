import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Detection } from '../../api/detection.ts';
import { KubesentryError } from '../../api/errors.ts';
import { LABEL, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { everyObject } from '../../kube/every-object.ts';
import { KIND } from '../../kube/kind.ts';

/** A detection as its node told it. */
export interface Told {
  detection: Detection;
  node: string;
}

interface VolumeMap extends KubeObject {
  binaryData?: Record<string, string>;
}

/** Of reports in one volume. A ConfigMap holds a MiB, and what cannot be compressed has to fit as well. */
export const VOLUME_BYTES = 768 * 1024;

const ENTRY = 'detections.json.gz';
const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Volumes of the journal: ConfigMaps in our own namespace, whose names follow from what they hold. */
export class Volumes {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Answers the name. Raises what the cluster raises. */
  async write(told: readonly Told[]): Promise<string> {
    const text = JSON.stringify(told);
    const name = `kubesentry-journal-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
    const volume: VolumeMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: SYSTEM_NAMESPACE, labels: { [LABEL.journal]: 'detections' } },
      binaryData: { [ENTRY]: (await compress(text, { level: 1 })).toString('base64') },
    };
    await this.#cluster.create(KIND.ConfigMap, volume).catch((error: unknown) => {
      if (!(error instanceof KubesentryError && error.code === 'KUBE_CONFLICT')) throw error;
    });
    return name;
  }

  async delete(name: string): Promise<void> {
    await this.#cluster.delete(KIND.ConfigMap, { namespace: SYSTEM_NAMESPACE, name });
  }

  async names(): Promise<string[]> {
    const names: string[] = [];
    const volumes = everyObject(this.#cluster, KIND.ConfigMap, SYSTEM_NAMESPACE, LABEL.journal);
    for await (const { metadata } of volumes) names.push(metadata.name ?? '');
    return names;
  }

  /** Undefined for one that somebody was done with meanwhile. Raises INTERNAL for one that was damaged. */
  async read(name: string): Promise<Told[] | undefined> {
    const found: VolumeMap | undefined = await this.#cluster.get(KIND.ConfigMap, {
      namespace: SYSTEM_NAMESPACE,
      name,
    });
    if (!found) return undefined;
    try {
      const packed = Buffer.from(found.binaryData?.[ENTRY] ?? '', 'base64');
      const text = await decompress(packed, { maxOutputLength: 4 * VOLUME_BYTES });
      return JSON.parse(text.toString()) as Told[];
    } catch (cause) {
      throw new KubesentryError('INTERNAL', `Volume ${name} of the journal cannot be read.`, { cause });
    }
  }
}
