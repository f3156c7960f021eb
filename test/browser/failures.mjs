// Pages of what goes wrong, and the development login, in both languages, both themes
// and narrow: with hostile and long text in every place that takes one, axe finds
// nothing, and nothing is wider than the window.
//
//   node failures.mjs PORTAL-URL URL-OF-A-BROKEN-PORTAL FOLDER-FOR-SCREENSHOTS
import { axe, measure, must, open, start, tell } from "./chromium.mjs";

const [base, broken, folder] = process.argv.slice(2);
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>${"W".repeat(300)}`;
const browser = await start();
const wrong = [];

async function look(page, name, says) {
  await page.waitForLoadState("load");
  const text = await page.locator("body").innerText();
  if (!text.includes(says)) wrong.push(`${name}: without “${says}”: ${text.slice(0, 200)}`);
  const facts = await measure(page);
  if (facts.wide > 0) wrong.push(`${name}: ${facts.wide} pixels wider than the window`);
  for (const s of [...facts.small, ...facts.bare, ...await axe(page)]) wrong.push(`${name}: ${s}`);
  if (await page.locator("script:not([src])").count()) wrong.push(`${name}: a script in the page`);
  if (folder) await page.screenshot({ path: `${folder}/failure-${name}.png`, fullPage: true });
}

for (const [locale, colorScheme, width, says] of [
  ["en-GB", "light", 360, { who: "Who are you?", bad: "Enter a name of 1 to 100 characters", client: "did not say who it is", late: "took longer than ten minutes", down: "does not answer", fault: "Something went wrong", refused: "You may not do that", missing: "There is no such page", sort: "cannot be sorted so", form: "does not come from a page", ended: "Your session has ended" }],
  ["de-DE", "dark", 1280, { who: "Wer sind Sie?", bad: "Geben Sie einen Namen", client: "sagt nicht, wer es ist", late: "dauerte länger als zehn Minuten", down: "antwortet nicht", fault: "Hier ging etwas schief", refused: "Das dürfen Sie nicht", missing: "Diese Seite gibt es nicht", sort: "So lässt sich die Liste nicht ordnen", form: "kommt nicht von einer Seite", ended: "Ihre Sitzung ist zu Ende" }],
]) {
  const page = await open(browser, { locale, colorScheme, viewport: { width, height: 800 }, bypassCSP: true });
  const at = (name) => `${name}-${locale.slice(0, 2)}`;
  const go = async (name, url, key) => { await page.goto(url); await look(page, at(name), says[key]); };

  await go("login", base + "/", "who");
  await page.locator("summary").click();
  await page.locator("#name").evaluate((e, text) => { e.removeAttribute("maxlength"); e.value = text; }, hostile);
  await page.locator("button.primary").click();
  await look(page, at("login-name"), says.bad);
  must(await page.evaluate(() => document.activeElement.matches(".summary")), "the login's summary of errors has no focus");
  await page.locator("button[lang=de]").click();
  await look(page, at("login-chosen"), "Wer sind Sie?");
  await page.locator(`button[lang=${locale.slice(0, 2)}]`).click();
  await look(page, at("login-back"), says.who);
  await go("login-client", `${base}/dev-issuer/authorize?redirect_uri=${encodeURIComponent(hostile)}`, "client");
  await go("login-late", `${base}/sign-in/back?state=AAAA&error=${encodeURIComponent(hostile)}`, "late");
  await go("down", `${broken}/sign-in?to=${encodeURIComponent("/" + hostile)}`, "down");
  await go("fault", `${broken}/applications?search=${encodeURIComponent(hostile)}`, "fault");

  await page.goto(base + "/");
  await page.locator(".choose button").last().click(); // whose name is hostile, and who may nothing
  await page.waitForURL("**/applications");
  await look(page, at("applications-hostile"), "onerror");
  await go("refused", base + "/people", "refused");
  await go("missing", `${base}/${encodeURIComponent(hostile)}`, "missing");
  await go("missing-contract", `${base}/contracts/99999`, "missing");
  await go("sort", `${base}/applications/1/workflows/1?sort=${encodeURIComponent(hostile)}`, "missing");
  await page.goto(base + "/applications");
  await page.evaluate(() => { const f = document.querySelector("form[action='/sign-out']"); f.elements.csrf.value = "x"; f.submit(); });
  await page.waitForURL("**/sign-out");
  await look(page, at("form"), says.form);
  await page.context().clearCookies({ name: /session/ });
  await page.goto(base + "/events");
  await look(page, at("ended"), says.ended);
  const complaints = page.complaints.filter((c) => !/status of 5\d\d/.test(c));
  must(!complaints.length, complaints.join("\n"));
  await page.context().close();
  tell(`failures and the login in ${locale}`);
}
await browser.close();
for (const w of wrong) console.error(w);
process.exit(wrong.length ? 1 : 0);
