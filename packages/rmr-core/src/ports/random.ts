/**
 * The random port: the only source of chance. Seeded in a simulated world, cryptographic in
 * production.
 */

export interface Random {
  /** Uniform in 0…2³²-1. */
  u32(): number
  /** Uniform integer in 0…bound-1, without modulo bias. `bound` is 1…2³². */
  below(bound: number): number
  /** Uniform in [0, 1): for jitter and probabilities. */
  unit(): number
  /** Fills every byte: for UUIDs and nonces. */
  fill(bytes: Uint8Array): void
}
