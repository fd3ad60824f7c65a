// How much a player's window reads before it shows anything:  npm run build && npm run bundle
// Sums what index.html names (scripts, styles) after gzip; fonts and catalogs of other languages come when they are needed. Fails over the bar.
import { readFileSync, readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";

const MUST_KIB = 200;
const dist = new URL("../dist/", import.meta.url);
const kib = (path) => gzipSync(readFileSync(new URL(path, dist)), { level: 9 }).length / 1024;

const page = readFileSync(new URL("index.html", dist), "utf8");
const first = [...page.matchAll(/(?:src|href)="\/?([^"]+\.(?:js|css))"/g)].map(([, path]) => path);
if (first.length === 0) throw new Error("index.html names no script");
const later = readdirSync(new URL("assets/", dist)).map((name) => `assets/${name}`).filter((path) => path.endsWith(".js") && !first.includes(path));
const sum = first.reduce((total, path) => total + kib(path), 0);
console.log(`first: ${sum.toFixed(1)} KiB gzip of at most ${MUST_KIB}`);
for (const path of first) console.log(`  ${kib(path).toFixed(1)}  ${path}`);
for (const path of later) console.log(`  later ${kib(path).toFixed(1)}  ${path}`);
if (sum > MUST_KIB) process.exitCode = 1;
