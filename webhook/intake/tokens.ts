import { createHash } from 'node:crypto';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { KubesentryError } from '../../api/errors.ts';
import { AGENT_USER, TOKEN_AUDIENCE } from '../../api/names.ts';

/** Who reports: an agent and where it runs. */
export interface Reporter {
  /** From the node claim; undefined where the API server is older than 1.30 and makes none. */
  node: string | undefined;
  podUid: string | undefined;
}

export interface TokenVerifierOptions {
  /** Cluster.tokenIssuer. */
  issuer: () => Promise<{ issuer: string; keys: JSONWebKeySet }>;
  clock: () => Date;
  /** The service account that agents run as, as the API server names it. */
  agent?: string | undefined;
}

/**
 * Seconds by which the clock of the API server may differ: a token is not good before it was made, by that clock. The
 * API server itself allows a minute (go-jose jwt.DefaultLeeway).
 */
const CLOCKS_DIFFER_S = 90;

interface Keys {
  issuer: string;
  find: ReturnType<typeof createLocalJWKSet>;
  since: number;
}

/** After this time keys are asked for again; a token with an unknown key asks sooner, but not more often than that. */
const KEYS_AGE_MS = 60 * 60_000;
const COOLDOWN_MS = 30_000;

/** Tokens that are remembered, and for how long; those signed by keys that are no longer the current ones are not. */
const KNOWN = 10_000;
const KNOWN_MS = 60_000;

/** Longer than any token of an API server, and short enough to be cheap to refuse. */
const TOKEN_LENGTH = 8 * 1024;

/**
 * Verifies projected service-account tokens (RFC 7519; kubernetes/pkg/serviceaccount/claims.go) against the keys of
 * the API server: signature, issuer, audience, expiry, and that the subject is the agent.
 */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  /** By the hash of the token, who it was last time; an agent shows the same one for the better part of an hour. */
  readonly #known = new LRUCache<string, { claims: JWTPayload; keys: Keys }>({ max: KNOWN, ttl: KNOWN_MS });
  #keys: Keys | undefined;
  #fetching: Promise<Keys> | undefined;

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  /** Raises TOKEN_MISSING, TOKEN_INVALID, NOT_THE_AGENT, or what asking for the keys raises. */
  async verify(authorization: string | undefined): Promise<Reporter> {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined)
      throw new KubesentryError('TOKEN_MISSING', 'The request carries no bearer token.');
    if (token.length > TOKEN_LENGTH) throw invalid('it is too long');
    const claims = await this.#claims(token);
    const agent = this.#options.agent ?? AGENT_USER;
    if (claims.sub !== agent) {
      throw new KubesentryError('NOT_THE_AGENT', `The token is that of ${claims.sub?.slice(0, 256)}.`);
    }
    return { node: claimed(claims, 'node', 'name'), podUid: claimed(claims, 'pod', 'uid') };
  }

  async #claims(token: string): Promise<JWTPayload> {
    const keys = await this.#current();
    const hash = createHash('sha256').update(token).digest('base64');
    const known = this.#known.get(hash);
    if (known?.keys === keys && !this.#isOver(known.claims)) return known.claims;
    try {
      const claims = await this.#check(token, keys);
      this.#known.set(hash, { claims, keys });
      return claims;
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw asInvalid(error);
      // The API server may have got a new key since.
      const newer = this.#now() - keys.since < COOLDOWN_MS ? undefined : await this.#fetch();
      if (!newer) throw asInvalid(error);
      return this.#check(token, newer).catch((cause: unknown) => {
        throw asInvalid(cause);
      });
    }
  }

  #isOver({ exp = 0 }: JWTPayload): boolean {
    return exp * 1000 <= this.#now();
  }

  async #check(token: string, { issuer, find }: Keys): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, find, {
      issuer,
      audience: TOKEN_AUDIENCE,
      requiredClaims: ['sub', 'exp'],
      clockTolerance: CLOCKS_DIFFER_S,
      currentDate: this.#options.clock(),
    });
    return payload;
  }

  async #current(): Promise<Keys> {
    if (!this.#keys) return this.#fetch();
    if (this.#now() - this.#keys.since > KEYS_AGE_MS) {
      // The old ones serve until the new ones are here.
      this.#fetch().catch(() => {});
    }
    return this.#keys;
  }

  #fetch(): Promise<Keys> {
    this.#fetching ??= this.#options
      .issuer()
      .then(({ issuer, keys }) => {
        this.#keys = { issuer, find: createLocalJWKSet(keys), since: this.#now() };
        return this.#keys;
      })
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }

  #now(): number {
    return this.#options.clock().getTime();
  }
}

function claimed(claims: JWTPayload, object: string, field: string): string | undefined {
  const kubernetes = claims['kubernetes.io'] as
    | Record<string, Record<string, unknown> | undefined>
    | undefined;
  const value = kubernetes?.[object]?.[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function asInvalid(error: unknown): KubesentryError {
  if (error instanceof errors.JWTExpired) return invalid('it has expired', error);
  if (error instanceof errors.JWKSNoMatchingKey) return invalid('no key of the API server signed it', error);
  if (error instanceof errors.JWTClaimValidationFailed) {
    return invalid(`its claim ${error.claim} is not the one expected`, error);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return invalid('its signature is wrong', error);
  if (error instanceof errors.JOSEError) return invalid('it is no token of this cluster', error);
  throw error;
}

function invalid(why: string, cause?: unknown): KubesentryError {
  return new KubesentryError('TOKEN_INVALID', `The token is refused: ${why}.`, { cause });
}
