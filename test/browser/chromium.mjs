// What the stories share: the system's Chromium, and pages that fail their story
// when the browser complains about them.
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
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) page.complaints.push(`${page.url()}: ${m.text()}`); });
  page.on("pageerror", (e) => page.complaints.push(`${page.url()}: ${e.stack}`));
  return page;
}

// tell prints a step that was told, for the test that reads along.
export function tell(step, detail = "") { console.log(JSON.stringify({ step, detail })); }

export function must(fact, text) { if (!fact) throw new Error(text); }
