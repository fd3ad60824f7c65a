// The words. Catalogs are data in ICU MessageFormat, so a publisher can override them without a build.
import { IntlMessageFormat } from "intl-messageformat";
import { CATALOGS, directionOf, FALLBACK, localeOf, primary, type Catalog, type Direction, type MessageKey, type Source } from "./catalogs";
import { Formatter } from "./format";

export type { Catalog, MessageKey } from "./catalogs";
export type Values = Record<string, string | number>;
/** A message not yet put into a language. */
export type Line = { key: MessageKey; values?: Values };
/** A message, or text that is already what it should be (a number, a publisher's words). */
export type Said = Line | string;

/** First strong isolate and its end: what is put into a sentence keeps its own direction and leaves the sentence's alone. */
const ISOLATE = String.fromCodePoint(0x2068);
const ISOLATE_END = String.fromCodePoint(0x2069);
/** Kinds of elements of a parsed message, as the parser numbers them. */
const [LITERAL, ARGUMENT] = [0, 1] as const;

export class I18n {
  readonly #sources: Record<string, Source>;
  readonly #system: string;
  readonly #fallback: Catalog;
  #wanted = FALLBACK;
  #overrides = $state.raw<Record<string, Catalog>>({});
  // Language and words change together, never one before the other.
  #spoken = $state.raw<{ language: string; catalog: Catalog }>({ language: FALLBACK, catalog: {} });
  readonly format: Formatter = $derived(new Formatter(localeOf(this.#spoken.language)));
  readonly direction: Direction = $derived(directionOf(this.#spoken.language));
  // Parsed messages of the language in use; a new language starts a new map.
  readonly #parsed = $derived.by(() => {
    void this.#spoken;
    void this.#overrides;
    return new Map<string, IntlMessageFormat>();
  });

  constructor(systemLanguage: string, sources: Record<string, Source> = CATALOGS) {
    this.#sources = sources;
    this.#system = systemLanguage;
    const fallback = sources[FALLBACK];
    if (typeof fallback !== "object") throw new Error("English comes with the program");
    this.#fallback = fallback;
    this.#spoken = { language: FALLBACK, catalog: fallback };
  }

  /** A publisher's own sentences, by language; they go before ours. */
  override(words: Record<string, Catalog>): void {
    this.#overrides = words;
  }

  get language(): string {
    return this.#spoken.language;
  }

  /** "system" follows the system's language where we speak it. The old language stays until the new one's words are here, and if they do not come. */
  async choose(choice: string): Promise<void> {
    const wanted = choice === "system" ? this.#ofSystem() : choice;
    this.#wanted = wanted in this.#sources ? wanted : FALLBACK;
    const language = this.#wanted;
    const source = this.#sources[language] ?? this.#fallback;
    try {
      const catalog = typeof source === "function" ? (await source()).default : source;
      // Who chose again meanwhile gets the later choice.
      if (language === this.#wanted && language !== this.#spoken.language) this.#spoken = { language, catalog };
    } catch (error) {
      console.error(`the words of "${language}" cannot be read`, error);
    }
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

  #ofSystem(): string {
    return this.#system in this.#sources ? this.#system : primary(this.#system);
  }

  #write(key: string, values?: Values): string | null {
    const source = this.#overrides[this.language]?.[key] ?? this.#spoken.catalog[key] ?? this.#overrides[FALLBACK]?.[key] ?? this.#fallback[key];
    if (source === undefined) return null;
    let message = this.#parsed.get(key);
    if (!message) {
      message = this.#parse(source);
      this.#parsed.set(key, message);
    }
    return String(message.format(values));
  }

  #parse(source: string): IntlMessageFormat {
    const message = new IntlMessageFormat(source, this.format.locale, undefined, { ignoreTag: true });
    return this.direction === "rtl" ? new IntlMessageFormat(isolated(message.getAst()), this.format.locale) : message;
  }
}

type Ast = ReturnType<IntlMessageFormat["getAst"]>;

/** The message with every inserted value isolated, also within the branches of plurals and selects. */
function isolated(ast: Ast): Ast {
  return ast.flatMap((element): Ast => {
    if ("options" in element) {
      const options = Object.fromEntries(Object.entries(element.options).map(([name, option]) => [name, { ...option, value: isolated(option.value) }]));
      return [{ ...element, options } as Ast[number]];
    }
    return element.type === ARGUMENT ? [{ type: LITERAL, value: ISOLATE }, element, { type: LITERAL, value: ISOLATE_END }] : [element];
  });
}
