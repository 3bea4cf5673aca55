/** Answers of the outside world, kept for a short while. */

/**
 * Each answer is at most `maxAgeMs` old by the monotonic clock, counted from when it was asked for. Callers that ask
 * at the same moment share one call. A failure is not kept: the next caller asks again.
 */
export class Cache<T> {
  readonly #monotonic: () => number;
  readonly #maxAgeMs: number;
  readonly #maxEntries: number;
  readonly #entries = new Map<string, { readonly askedAt: number; readonly answer: Promise<T> }>();

  constructor(options: { readonly monotonic: () => number; readonly maxAgeMs: number; readonly maxEntries: number }) {
    this.#monotonic = options.monotonic;
    this.#maxAgeMs = options.maxAgeMs;
    this.#maxEntries = options.maxEntries;
  }

  /** Of answers that are not worth `keeping` none is kept, but for those who ask at the same moment. */
  get(key: string, load: () => Promise<T>, keeping: (answer: T) => boolean = () => true): Promise<T> {
    const now = this.#monotonic();
    const known = this.#entries.get(key);
    if (known !== undefined && now - known.askedAt <= this.#maxAgeMs) return known.answer;
    const entry = { askedAt: now, answer: load() };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const drop = () => {
      // A later caller may have put a fresh entry in this place already.
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    };
    entry.answer.then((answer) => {
      if (!keeping(answer)) drop();
    }, drop);
    // A map keeps the order of insertion, so the first key is the oldest answer.
    const oldest = this.#entries.size > this.#maxEntries ? this.#entries.keys().next() : undefined;
    if (oldest?.done === false) this.#entries.delete(oldest.value);
    return entry.answer;
  }
}
