// Reads published results in a browser or in Node.js 20 and later. Copy this file: it needs no
// other.
//
//   import { Storefront } from "./storefront.mjs";
//   const results = new Storefront("https://results.shop.example/");
//   const found = await results.lookUp("Red Dress", "en");
//   for (const hit of found?.hits ?? []) show(hit.product_id);
//
// The address is that of the work bucket, or of whatever serves its folder results/ over HTTP.
// `lookUp` gives { query, locale, hits } with the best hit first, or null where the query was not
// precomputed: ask your own search then. Price and stock come from your own systems. In a browser,
// SHA-256 needs a page that came over HTTPS.

// The same white space as in storefront.py; \s of another language is another set.
const SPACES = /[\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+/gu;

const FILES = 64; // bucket files that stay in memory
const ABSENT = [403, 404]; // S3 says 403 of what is not there to whoever may not list the bucket

/** What counts as the same query: NFKC, lower case, NFKC again, white space collapsed and cut off. */
export function normalise(text) {
  const lower = text.toWellFormed().normalize("NFKC").toLowerCase();
  return lower.normalize("NFKC").replace(SPACES, " ").replace(/^ | $/g, "");
}

/** The key of a query in a locale: sha256 of "q1|locale|normalised text", in hex. */
export async function queryKey(text, locale) {
  const bytes = new TextEncoder().encode(`q1|${locale}|${normalise(text)}`);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The published results under an address, as they are now. */
export class Storefront {
  #address;
  #seconds;
  #fetch;
  #opened = null; // the generation, its manifest, withdrawn products, and its bucket files by key
  #opening = null;
  #until = 0;

  /**
   * `seconds`: how long CURRENT and WITHDRAWN.json are not asked for again;
   * `fetch`: another one, for headers or time limits.
   */
  constructor(address, { seconds = 60, fetch = globalThis.fetch } = {}) {
    this.#address = address.endsWith("/") ? address : `${address}/`;
    this.#seconds = seconds;
    this.#fetch = (...request) => fetch(...request);
  }

  /** The result of a query, or null where there is none. */
  async lookUp(text, locale) {
    const key = await queryKey(text, locale);
    let found = await this.#entries(key, await this.#current());
    if (found === null) {
      this.#until = 0; // the generation was deleted since: read the pointer again
      found = await this.#entries(key, await this.#current());
    }
    if (found === null) throw new Error("A bucket file of the current generation is missing.");
    if (!Object.hasOwn(found.entries, key)) return null;
    const entry = found.entries[key];
    return { ...entry, hits: entry.hits.filter((hit) => !found.withdrawn.has(hit.product_id)) };
  }

  async #current() {
    if (this.#opened !== null && Date.now() < this.#until) return this.#opened;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #open() {
    try {
      const current = await this.#json("results/CURRENT", { cache: "no-cache" });
      if (current === null) throw new Error("Nothing is published yet.");
      const withdrawn = await this.#json("results/WITHDRAWN.json", { cache: "no-cache" });
      const same = this.#opened?.generation === current.generation;
      const folder = `results/${current.generation}`;
      const manifest = same ? this.#opened.manifest : await this.#json(`${folder}/manifest.json`);
      if (manifest === null) throw new Error(`Generation ${current.generation} has no manifest.`);
      this.#opened = {
        generation: current.generation,
        manifest,
        withdrawn: new Set(withdrawn?.products ?? []),
        files: same ? this.#opened.files : new Map(),
      };
    } catch (error) {
      if (this.#opened === null) throw error;
      // the store is away: what was read last is still good
    }
    this.#until = Date.now() + 1000 * this.#seconds;
    return this.#opened;
  }

  /** All results of the bucket file that holds a key, or null where the file is gone. */
  async #entries(key, opened) {
    const buckets = opened.manifest.buckets;
    const number = parseInt(key.slice(0, 8), 16) % Object.keys(buckets).length;
    const file = buckets[number.toString(16).padStart(3, "0")];
    if (!opened.files.has(file)) {
      if (opened.files.size >= FILES) opened.files.delete(opened.files.keys().next().value);
      opened.files.set(file, this.#json(file));
    }
    try {
      const entries = await opened.files.get(file);
      if (entries === null) opened.files.delete(file);
      return entries === null ? null : { entries, withdrawn: opened.withdrawn };
    } catch (error) {
      opened.files.delete(file);
      throw error;
    }
  }

  /** The content of an object, or null where there is none. */
  async #json(key, options) {
    const path = key.split("/").map(encodeURIComponent).join("/");
    const answer = await this.#fetch(this.#address + path, options);
    if (ABSENT.includes(answer.status)) return null;
    if (!answer.ok) throw new Error(`${key} cannot be read: ${answer.status}.`);
    return answer.json();
  }
}
