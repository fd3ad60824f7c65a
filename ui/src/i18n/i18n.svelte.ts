// The words. Catalogs are data in ICU MessageFormat, so a publisher can override them without a build.
import { IntlMessageFormat } from "intl-messageformat";
import de from "./de.json";
import en from "./en.json";
import { Formatter } from "./format";

export type MessageKey = keyof typeof en;
export type Catalog = Record<string, string>;
export type Values = Record<string, string | number>;
/** A message not yet put into a language. */
export type Line = { key: MessageKey; values?: Values };
/** A message, or text that is already what it should be (a number, a publisher's words). */
export type Said = Line | string;

const CATALOGS: Record<string, Catalog> = { en, de };
const FALLBACK = "en";

export class I18n {
  readonly #catalogs: Record<string, Catalog>;
  readonly #system: string;
  #language = $state(FALLBACK);
  readonly format: Formatter = $derived(new Formatter(this.#language));
  // Parsed messages of the language in use; a new language starts a new map.
  readonly #parsed = $derived.by(() => {
    void this.#language;
    return new Map<string, IntlMessageFormat>();
  });

  constructor(systemLanguage: string, catalogs: Record<string, Catalog> = CATALOGS) {
    this.#catalogs = catalogs;
    this.#system = systemLanguage;
    this.choose("system");
  }

  get language(): string {
    return this.#language;
  }

  /** "system" follows the system's language where we speak it. */
  choose(language: string): void {
    const wanted = language === "system" ? (this.#system.split("-")[0] ?? FALLBACK) : language;
    this.#language = wanted in this.#catalogs ? wanted : FALLBACK;
  }

  t(key: MessageKey, values?: Values): string {
    return this.#write(key, values) ?? key;
  }

  say(said: Said): string {
    return typeof said === "string" ? said : this.t(said.key, said.values);
  }

  /** For keys that come from outside (button labels, error codes): null when no catalog knows them. */
  maybe(key: string, values?: Values): string | null {
    return this.#write(key, values);
  }

  #write(key: string, values?: Values): string | null {
    const source = this.#catalogs[this.#language]?.[key] ?? this.#catalogs[FALLBACK]?.[key];
    if (source === undefined) return null;
    let message = this.#parsed.get(key);
    if (!message) {
      message = new IntlMessageFormat(source, this.#language, undefined, { ignoreTag: true });
      this.#parsed.set(key, message);
    }
    return String(message.format(values));
  }
}
