// What a screen reader is told of each kind of page: landmarks, names, headings in
// their order, tables, live regions. Compared with heard/KIND.yml, or written there.
//
//   node heard.mjs BASE-URL compare|update KIND...
import { readFileSync, writeFileSync } from "node:fs";
import { must, open, start, tell } from "./chromium.mjs";

const [base, mode, ...kinds] = process.argv.slice(2);
const browser = await start();
const page = await open(browser, { viewport: { width: 1280, height: 900 } });
for (const kind of kinds) {
  await page.goto(`${base}/design/${kind}/usual`);
  const heard = `${await page.locator("body").ariaSnapshot()}\n`, file = new URL(`heard/${kind}.yml`, import.meta.url);
  if (mode === "update") writeFileSync(file, heard);
  const wanted = readFileSync(file, "utf8");
  must(heard === wanted, `${kind} is heard differently; read the difference, then run the test with -update:\n${difference(wanted, heard)}`);
  const outline = await page.evaluate(() => ({
    levels: [...document.querySelectorAll("h1, h2, h3, h4")].filter((h) => h.checkVisibility()).map((h) => +h.localName[1]),
    live: document.querySelectorAll("#announcer[aria-live=polite]").length,
    regions: [...document.querySelectorAll("[data-live][aria-live], [data-live][role=status]")].length,
  }));
  must(outline.levels[0] === 1 && outline.levels.filter((l) => l === 1).length === 1, `${kind}: headings ${outline.levels}`);
  outline.levels.reduce((before, l) => { must(l <= before + 1, `${kind}: a heading is left out: ${outline.levels}`); return l; });
  must(outline.live === 1 && outline.regions === 0, `${kind}: what changes is announced by ${outline.live} regions, and by itself in ${outline.regions}`);
}
await browser.close();
tell(`${kinds.length} kinds of pages are heard as they were`);

function difference(a, b) {
  const had = a.split("\n"), has = b.split("\n");
  return [...had.filter((l) => !has.includes(l)).map((l) => `- ${l}`), ...has.filter((l) => !had.includes(l)).map((l) => `+ ${l}`)].slice(0, 40).join("\n");
}
