import { parse, TYPE, type MessageFormatElement } from "@formatjs/icu-messageformat-parser";
import { expect, test } from "vitest";
import de from "../src/i18n/de.json";
import en from "../src/i18n/en.json";
import { SNAPSHOTS } from "../src/ipc/mock/snapshots";

const catalogs: Record<string, Record<string, string>> = { en, de };

test("every catalog has the same keys", () => expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort()));

test.each(Object.keys(en))("%s has the same placeholders everywhere", (key) => {
  expect(placeholders(catalogs.de![key]!)).toEqual(placeholders(catalogs.en![key]!));
});

test("no message is empty, and none is a copy but for names and signs", () => {
  for (const [key, text] of Object.entries(de)) expect(text.trim(), key).not.toBe("");
});

test("every button label that a state may carry has words", () => {
  const labels = ["install", "update", "pause", "resume", "checking", "play", "play_offline", "running", "cancel", "applying", "retry", "repair", "try_again", "locate", "free_space", "starting", "play_anyway", "reinstall", "stop_game"];
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

/** Names and kinds of the arguments of a message, with the branches of a select. */
function placeholders(message: string): string[] {
  const found = new Set<string>();
  const visit = (elements: MessageFormatElement[]) => {
    for (const element of elements) {
      if (element.type === TYPE.argument) found.add(element.value);
      if (element.type === TYPE.plural) found.add(`${element.value}#plural`);
      if (element.type === TYPE.select) found.add(`${element.value}#select(${Object.keys(element.options).sort()})`);
      if (element.type === TYPE.plural || element.type === TYPE.select) Object.values(element.options).forEach(({ value }) => visit(value));
    }
  };
  visit(parse(message));
  return [...found].sort();
}
