// What the stories share: the system's Chromium, and pages that fail their story
// when the browser complains about them.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";

export async function start() {
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"] });
}

// open makes a page whose console errors, policy violations and failed requests
// are kept in page.complaints.
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (m) => { if (["error", "warning"].includes(m.type()) && !/status of 4\d\d/.test(m.text())) page.complaints.push(`${page.url()}: ${m.text()}`); });
  page.on("pageerror", (e) => page.complaints.push(`${page.url()}: ${e.stack}`));
  return page;
}

// signIn signs somebody of the development login in.
export async function signIn(browser, base, name, options) {
  const page = await open(browser, options);
  await page.goto(base + "/");
  await page.getByRole("button", { name }).click();
  await page.waitForURL("**/applications");
  return page;
}

// axe looks at a page as it stands and gives what is wrong with it.
const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export async function axe(page) {
  await page.evaluate(source);
  return page.evaluate(async () => (await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })).violations
    .flatMap((v) => v.nodes.slice(0, 3).map((n) => `${v.id}: ${n.target} ${n.html.slice(0, 160)} ${n.failureSummary?.split("\n").slice(1, 3).join(" ").trim()}`)));
}

// measure gives how many pixels a page is wider than its window, which targets are
// smaller than 24 pixels (WCAG 2.5.8), and which states are told by a colour alone.
export async function measure(page) {
  return page.evaluate(() => {
    const wide = document.scrollingElement.scrollWidth - innerWidth;
    const small = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")].flatMap((e) => {
      const box = e.closest("label")?.getBoundingClientRect() ?? e.getBoundingClientRect(), own = e.getBoundingClientRect();
      const inText = e.localName === "a" && getComputedStyle(e).display === "inline" && e.parentElement.textContent.trim() !== e.textContent.trim();
      if (!own.width || getComputedStyle(e).visibility === "hidden" || e.closest(".hide, .skip") || inText || getComputedStyle(e).clipPath !== "none") return [];
      return Math.max(box.width, own.width) < 24 || Math.max(box.height, own.height) < 24 ? [`${e.outerHTML.slice(0, 120)} ${Math.round(own.width)}x${Math.round(own.height)}`] : [];
    });
    const bare = [...document.querySelectorAll(".tag, .state, .notice, .path li, .timeline > li")]
      .filter((e) => !e.textContent.trim() || !e.matches(".tag.bare") && !e.querySelector("svg") && !e.closest(".login")).map((e) => e.outerHTML.slice(0, 120));
    return { wide, small: small.slice(0, 5), bare: bare.slice(0, 5) };
  });
}

// tell prints a step that was told, for the test that reads along.
export function tell(step, detail = "") { console.log(JSON.stringify({ step, detail })); }

export function must(fact, text) { if (!fact) throw new Error(text); }
