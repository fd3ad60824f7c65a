// Pictures of every state, from the built UI in a real browser under the window's own policy:
//   npm run build && npm run screens -- --out DIR [--only NAME,…] [--size 1120x680] [--scale 1] [--lang de] [--brand tidewrack]
// Anything the browser complains about (policy, script error, missing file) fails the run.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { preview } from "vite";
import { BROWSER, SHOTS, show } from "./shots.mjs";

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    only: { type: "string" },
    size: { type: "string", default: "1120x680" },
    scale: { type: "string", default: "1" },
    lang: { type: "string", default: "en" },
    brand: { type: "string", default: "" },
    chromium: { type: "string", default: "/usr/bin/chromium" },
  },
});
if (!values.out) throw new Error("--out DIR is needed");
const [width, height] = values.size.split("x").map(Number);
const only = values.only?.split(",");
await mkdir(values.out, { recursive: true });

const server = await preview({ preview: { port: 0 }, logLevel: "warn" });
const url = server.resolvedUrls.local[0];
const browser = await chromium.launch({ executablePath: values.chromium, args: BROWSER });
const complaints = [];
for (const shot of SHOTS.filter(({ name }) => !only || only.includes(name))) await take(shot);
await browser.close();
await server.close();
for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exitCode = 1;

async function take(shot) {
  const { name } = shot;
  const scale = Number(values.scale);
  const context = await browser.newContext({
    viewport: { width: Math.round(width / scale), height: Math.round(height / scale) },
    deviceScaleFactor: scale,
    locale: values.lang,
    timezoneId: "UTC",
    reducedMotion: "reduce",
  });
  context.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(`${name}: ${message.text()}`));
  context.on("weberror", (error) => complaints.push(`${name}: ${error.error().message}`));
  const page = await show(context, url, shot, values.brand);
  await page.waitForLoadState("networkidle");
  await page.waitForTimeout(150);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  if (wide) complaints.push(`${name}: wider than the window`);
  await page.screenshot({ path: join(values.out, `${name}.png`) });
  await context.close();
}
