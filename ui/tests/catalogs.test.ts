import { describe, expect, test } from "vitest";
import { CATALOGS } from "../src/i18n/catalogs";
import en from "../src/i18n/en.json";
import { SNAPSHOTS } from "../src/ipc/mock/snapshots";
import { faults } from "./messages";
import { WORDS } from "./window";

const others = Object.keys(WORDS).filter((language) => language !== "en");

test("the window offers the languages that have a catalog, each by its own name", () => {
  const offered = Object.keys(en).filter((key) => /^settings\.language_[a-z]{2}$/.test(key)).map((key) => key.slice(-2));
  expect(offered.sort()).toEqual(Object.keys(CATALOGS).sort());
  expect(Object.keys(WORDS).sort()).toEqual(Object.keys(CATALOGS).sort());
  for (const language of offered) {
    const own = new Intl.DisplayNames(language, { type: "language" }).of(language)!;
    const names = Object.values(WORDS).map((catalog) => catalog[`settings.language_${language}`]);
    for (const name of names) expect(name?.toLocaleLowerCase(language)).toBe(own.toLocaleLowerCase(language));
  }
});

describe.each(others)("%s", (language) => {
  const catalog = WORDS[language]!;

  test("has every key, and none that English does not have", () => {
    expect({ missing: Object.keys(en).filter((key) => !(key in catalog)), extra: Object.keys(catalog).filter((key) => !(key in en)) }).toEqual({ missing: [], extra: [] });
  });

  test("has the placeholders of English, the plurals of its own grammar, and no empty words", () => {
    expect(Object.entries(en).flatMap(([key, source]) => faults(language, source, catalog[key] ?? "").map((fault) => `${key}: ${fault}`))).toEqual([]);
  });

  test("calls units what its numbers call them", () => {
    const units = { unit_kB: "kilobyte-per-second", unit_MB: "megabyte-per-second", volume_MB: "megabyte", volume_GB: "gigabyte" };
    for (const [key, unit] of Object.entries(units)) {
      const parts = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }).formatToParts(5);
      expect(catalog[`settings.${key}`], key).toBe(parts.filter(({ type }) => type === "unit").map(({ value }) => value).join(""));
    }
  });
});

test("English itself is whole", () => {
  expect(Object.entries(en).flatMap(([key, text]) => faults("en", text, text).map((fault) => `${key}: ${fault}`))).toEqual([]);
});

test.each([
  ["de", "{a} of {b}", "{a} von {c}", "placeholder"],
  ["de", "{a} of {b}", "{a} von", "placeholder"],
  ["de", "{n, plural, one {#} other {#}}", "{n}", "placeholder"],
  ["de", "{s, select, x {1} other {2}}", "{s, select, y {1} other {2}}", "placeholder"],
  ["de", "{n, plural, one {#} other {#}}", "{n, plural, one {#} few {#} other {#}}", "few"],
  ["ar", "{n, plural, one {#} other {#}}", "{n, plural, one {#} other {#}}", "zero, two, few, many"],
  ["ja", "{n, plural, one {#} other {#}}", "{n, plural, one {#} other {#}}", "one"],
  ["de", "{n, plural, one {#} other {{a}}}", "{n, plural, one {{a}} other {#}}", ""],
  ["de", "word", " ", "empty"],
  ["de", "word", "{", "does not parse"],
  ["fr", "word", "mot ", "spaces"],
  ["fr", "It’s", "C'est", "apostrophe"],
])("in %s, %j as %j is found wrong: %s", (language, source, text, fault) => {
  const found = faults(language, source, text).join("; ");
  if (fault) expect(found).toContain(fault);
  else expect(found).toBe("");
});

test("every button label that a state may carry has words", () => {
  const labels = ["install", "update", "pause", "resume", "checking", "play", "play_offline", "running", "cancel", "applying", "retry", "repair", "try_again", "locate", "free_space", "starting", "play_anyway", "reinstall", "stop_game", "still_running", "download_anyway", "waiting"];
  for (const { primary, secondary } of Object.values(SNAPSHOTS)) labels.push(primary.label, ...(secondary ? [secondary.label] : []));
  for (const label of labels) expect(en, label).toHaveProperty([`button.${label}`]);
});

test("every code that may reach the window has a sentence", () => {
  const sources = import.meta.glob<string>(["../../crates/engine/src/**/*.rs", "../../crates/store/src/error.rs", "../../crates/trust/src/client.rs", "../../src-tauri/failure.rs"], {
    query: "?raw",
    import: "default",
    eager: true,
  });
  const codes = Object.values(sources).flatMap((source) => [...source.matchAll(/=> "([A-Z][A-Z_]+)"/g)].map(([, code]) => code!));
  expect(codes.length).toBeGreaterThan(30);
  expect(codes.filter((code) => !(`error.${code}` in en))).toEqual([]);
});
