/** The certificate that the server shows and what proves it, in PEM. */
export interface ServingCertificate {
  cert: string;
  key: string;
  /** The CA certificates that clients are to trust: during a rotation the old one and the new one. */
  caBundle: string;
}

/** Where the serving certificate comes from. */
export interface CertificateSource {
  readonly current: ServingCertificate;
  /** Calls back after every change. Answers how to stop that. */
  onChange(changed: (certificate: ServingCertificate) => void): () => void;
  /** Says whether this replica leads: where replicas share certificates, the leader renews them. */
  lead(leads: boolean): void;
}

/** A certificate that does not change by itself: from files, or made for a test. */
export class FixedCertificate implements CertificateSource {
  #current: ServingCertificate;
  readonly #listeners = new Set<(certificate: ServingCertificate) => void>();

  constructor(certificate: ServingCertificate) {
    this.#current = certificate;
  }

  get current(): ServingCertificate {
    return this.#current;
  }

  replace(certificate: ServingCertificate): void {
    this.#current = certificate;
    for (const listener of this.#listeners) listener(certificate);
  }

  onChange(changed: (certificate: ServingCertificate) => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  lead(): void {}
}
