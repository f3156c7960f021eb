// Every kind of page, filled with usual, with no and with hostile and long data, light
// and narrow, dark and wide, and between: axe finds nothing, nothing is wider than the
// window, every target is at least 24 pixels, no state is a colour alone, and the browser
// complains of nothing.
//
//   node design.mjs BASE-URL FOLDER-FOR-SCREENSHOTS PATH...
import { axe, measure, open, start, tell } from "./chromium.mjs";

const [base, folder, ...paths] = process.argv.slice(2);
const browser = await start();
const wrong = [];

const everything = folder || process.env.COCO_BROWSER === "all";
for (const colorScheme of ["light", "dark"]) {
  // The pages' policy forbids axe's own script; everything else about it stays.
  const page = await open(browser, { colorScheme, bypassCSP: true });
  for (const [n, path] of paths.entries()) {
    // Each page is seen in both themes on demand, else in one: its neighbour is in the other.
    if (!everything && n % 2 !== (colorScheme === "light" ? 0 : 1)) continue;
    // Each width is measured in each theme when pictures are wanted; else once.
    for (const width of folder ? [360, 768, 1440] : colorScheme === "light" ? [360, 768] : [1440]) {
      await page.setViewportSize({ width, height: 900 });
      await page.goto(base + path);
      const name = `${path.replace(/^\//, "").replaceAll("/", "-")}-${width}-${colorScheme}`;
      if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: path !== "/design" || width !== 360 });
      const facts = await measure(page);
      if (facts.wide > 0) wrong.push(`${name}: ${facts.wide} pixels wider than the window`);
      for (const s of facts.small) wrong.push(`${name}: small target ${s}`);
      for (const s of facts.bare) wrong.push(`${name}: a state without a sign or a word: ${s}`);
      if (width !== (colorScheme === "light" ? 360 : 1440)) continue;
      const found = await axe(page);
      for (const f of found) wrong.push(`${name}: ${f}`);
    }
  }
  wrong.push(...page.complaints);
  await page.context().close();
  tell(`looked at ${paths.length} pages, ${colorScheme}`);
}
await browser.close();
for (const w of wrong) console.error(w);
process.exit(wrong.length ? 1 : 0);
