// What the translators still have to do:  npm run i18n -- missing
// Prints, per language, the keys that English has and the catalog lacks (with the English words, ready to be filled in) and those it should lose.
import { readdirSync, readFileSync } from "node:fs";

const dir = new URL("../src/i18n/", import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, dir), "utf8"));

if (process.argv[2] !== "missing") {
  console.error("usage: npm run i18n -- missing");
  process.exit(2);
}
const en = read("en.json");
let open = 0;
for (const name of readdirSync(dir).filter((file) => file.endsWith(".json") && file !== "en.json").sort()) {
  const catalog = read(name);
  const missing = Object.entries(en).filter(([key]) => !(key in catalog));
  const extra = Object.keys(catalog).filter((key) => !(key in en));
  open += missing.length + extra.length;
  console.log(`${name}: ${missing.length} missing, ${extra.length} too many`);
  for (const [key, words] of missing) console.log(`  ${JSON.stringify(key)}: ${JSON.stringify(words)},`);
  for (const key of extra) console.log(`  remove ${JSON.stringify(key)}`);
}
process.exitCode = open > 0 ? 1 : 0;
