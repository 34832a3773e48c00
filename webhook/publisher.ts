import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from '../api/object.ts';
import type { Cluster } from '../kube/cluster.ts';
import { KIND } from '../kube/kind.ts';
import { Reflector } from '../kube/reflector.ts';
import type { CertificateSource } from './certificates.ts';
import { type Address, CONFIGURATION_NAME } from './configuration.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { isPublished, publish } from './publish.ts';

export interface PublisherOptions {
  cluster: Cluster;
  certificates: CertificateSource;
  /** How the API server reaches us; undefined where others tell it. */
  address: Address | undefined;
  metrics: Pick<Metrics, 'caPublished'>;
  log: Log;
}

const PAUSE_MS = { first: 500, most: 30_000 } as const;

/** How often the leader looks whether what the agents read is still there. */
const LOOK_MS = 60_000;

/**
 * Keeps the agents and the API server told whom to trust. Each replica says it when it starts; from then on the leader
 * does: after a change of the certificates, and when somebody replaced or deleted what was told. What fails is tried
 * again, after longer and longer pauses, until it succeeds.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #stopping = new AbortController();
  readonly #registration: Reflector<KubeObject> | undefined;
  readonly #unlisten: () => void;
  readonly #looks: NodeJS.Timeout;
  #leads = false;
  #mustLook = false;
  /** One at a time; what is asked for meanwhile is looked at after it. */
  #work: Promise<void> | undefined;

  constructor(options: PublisherOptions) {
    const { cluster, certificates, address, log } = options;
    this.#options = options;
    this.#unlisten = certificates.onChange(() => this.#look());
    this.#registration =
      address &&
      new Reflector({
        cluster,
        kind: KIND.ValidatingWebhookConfiguration,
        fieldSelector: `metadata.name=${CONFIGURATION_NAME}`,
        onError: (error) => log.warn({ err: error }, 'the watch of the webhook configuration failed'),
      });
    this.#registration?.store.listen({ onSet: () => this.#look() });
    this.#looks = setInterval(() => this.#look(), LOOK_MS);
    this.#looks.unref();
  }

  /** Says it for the first time; resolves when it is said, or when the replica stops. */
  async start(): Promise<void> {
    const { cluster, certificates, address } = this.#options;
    this.#work = this.#insist(() => publish(cluster, certificates.current.caBundle, address));
    await this.#work;
    this.#work = undefined;
    if (this.#mustLook) this.#look();
  }

  lead(leads: boolean): void {
    this.#leads = leads;
    this.#look();
  }

  async close(): Promise<void> {
    this.#unlisten();
    clearInterval(this.#looks);
    this.#stopping.abort();
    await this.#registration?.stop();
    await this.#work;
  }

  #look(): void {
    if (!this.#leads || this.#stopping.signal.aborted) return;
    this.#mustLook = true;
    this.#work ??= this.#lookUntilTold();
  }

  async #lookUntilTold(): Promise<void> {
    const { cluster, certificates, address, log } = this.#options;
    while (this.#mustLook && !this.#stopping.signal.aborted) {
      this.#mustLook = false;
      await this.#insist(async () => {
        const { caBundle } = certificates.current;
        if (await isPublished(cluster, caBundle, address)) return;
        await publish(cluster, caBundle, address);
        log.info('the CA was published again');
      });
    }
    this.#work = undefined;
  }

  /** Again and again until it succeeds or the replica stops. */
  async #insist(act: () => Promise<void>): Promise<void> {
    const { metrics, log } = this.#options;
    const { signal } = this.#stopping;
    for (
      let pauseMs: number = PAUSE_MS.first;
      !signal.aborted;
      pauseMs = Math.min(2 * pauseMs, PAUSE_MS.most)
    ) {
      try {
        await act();
        metrics.caPublished.set(1);
        return;
      } catch (error) {
        metrics.caPublished.set(0);
        log.error({ err: error, againInMs: pauseMs }, 'the CA could not be published; it is tried again');
        await sleep(pauseMs, undefined, { signal }).catch(() => {});
      }
    }
  }
}
