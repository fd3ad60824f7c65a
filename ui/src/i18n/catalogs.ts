// The languages the window speaks. English comes with the program, as the one that is always there; each other is a file of its own that is
// read when it is first wanted, so that nobody waits for words they will not read.
import en from "./en.json";

export type MessageKey = keyof typeof en;
export type Catalog = Record<string, string>;
/** A catalog, or the way to get it. */
export type Source = Catalog | (() => Promise<{ default: Catalog }>);

export const FALLBACK = "en";

export const CATALOGS: Record<string, Source> = {
  en,
  de: () => import("./de.json"),
  fr: () => import("./fr.json"),
  es: () => import("./es.json"),
  ja: () => import("./ja.json"),
  ar: () => import("./ar.json"),
};

const RIGHT_TO_LEFT: readonly string[] = ["ar"];

export type Direction = "ltr" | "rtl";

export function directionOf(language: string): Direction {
  return RIGHT_TO_LEFT.includes(primary(language)) ? "rtl" : "ltr";
}

/**
 * The locale in which numbers and dates of a language are written. Arabic keeps Latin digits whatever the engine's tables say: versions, ports,
 * addresses and error codes stand beside the numbers and are Latin, and two sets of digits in one line read badly.
 */
export function localeOf(language: string): string {
  return primary(language) === "ar" ? `${language}-u-nu-latn` : language;
}

/** "fr" of "fr-CA". */
export function primary(language: string): string {
  return language.split("-")[0] ?? FALLBACK;
}
