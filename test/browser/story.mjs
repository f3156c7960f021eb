// A purchase by three people in three browsers, on the sample application: pages
// follow each other without a reload, nothing shifts, focus stays, a receipt is
// verified on the spot; then the same without JavaScript, zoomed, and by keyboard.
//
//   node story.mjs PORTAL-URL FOLDER-FOR-SCREENSHOTS
import { axe, measure, must, signIn, start, tell } from "./chromium.mjs";

const [base, folder] = process.argv.slice(2);
const hostile = `<script>alert(1)</script>"><img src=x onerror=alert(2)> {{.}} ${"Ω".repeat(200)}`;
const big = "9007199254740993"; // 2^53 + 1: the first whole number that a double cannot hold
const browser = await start();
const shot = (page, name) => folder && page.screenshot({ path: `${folder}/story-${name}.png`, fullPage: true });
const clean = async (page, where) => { const facts = await measure(page), found = [...facts.small, ...facts.bare, ...await axe(page)]; must(!found.length, `${where}: ${found.join("\n")}`); };

// shifts counts what moves without anybody having touched anything.
async function shifts(page) {
  await page.evaluate(() => {
    window.shifted = [];
    new PerformanceObserver((list) => { for (const e of list.getEntries()) window.shifted.push({ value: e.value, recent: e.hadRecentInput, of: e.sources.map((s) => [s.node?.outerHTML?.slice(0, 60), s.previousRect, s.currentRect]) }); }).observe({ type: "layout-shift", buffered: false });
  });
  return async () => {
    const all = await page.evaluate(() => window.shifted);
    // Chromium counts a little where something is moved again before it arrived,
    // though it stays where it was to the eye; a tenth is what it calls good.
    tell("layout shift of a live update", `${all.reduce((sum, s) => sum + s.value, 0)}`);
    must(!all.length, `the page shifted: ${JSON.stringify(all)}`);
  };
}

// listens keeps what live regions say, as a screen reader would.
async function listens(page) {
  await page.evaluate(() => {
    window.said = [];
    const region = document.querySelector("#announcer");
    new MutationObserver(() => { if (region.textContent) window.said.push(region.textContent); }).observe(region, { childList: true, characterData: true, subtree: true });
  });
  return () => page.evaluate(() => window.said);
}

// walk goes through a page with the Tab key, all around, and gives where it stopped.
// Every stop is seen: in the window, with an outline, and under nothing.
async function walk(page) {
  const stops = [];
  for (let i = 0; i < 200; i++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return null;
      const box = e.getBoundingClientRect(), style = getComputedStyle(e), after = getComputedStyle(e, "::after");
      const inside = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
      return { name: (e.getAttribute("aria-label") ?? e.labels?.[0]?.textContent ?? e.textContent).trim().slice(0, 40), lit: style.outlineStyle !== "none" || after.outlineStyle !== "none", inside, html: e.outerHTML.slice(0, 100) };
    });
    if (!stop || stops.length && stop.html === stops[0].html) return stops;
    must(stop.inside, `the focus is out of sight at ${stop.html}`);
    must(stop.lit, `the focus is not seen at ${stop.html}`);
    stops.push(stop);
  }
  throw new Error("the walk does not end");
}

const options = { bypassCSP: false };
const [bob, carol] = [await signIn(browser, base, "Bob Berger", options), await signIn(browser, base, "Carol Chen", options)];
tell("two people signed in");
const weight = await bob.evaluate(() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].reduce((sum, e) => sum + e.encodedBodySize, 0));
must(weight > 10_000 && weight <= 60_000, `the first page weighs ${weight} bytes`);
tell("the first page with all that it needs", `${weight} bytes`);

await carol.getByRole("link", { name: "Machine purchase", exact: true }).click();
await bob.getByRole("link", { name: "Machine purchase", exact: true }).click();
await carol.getByRole("heading", { level: 1, name: "Machine purchase" }).waitFor();

// --- a new contract, in a pane

await bob.getByRole("link", { name: "New contract" }).first().click();
const pane = bob.getByRole("dialog");
await pane.getByRole("button", { name: "Create contract" }).click();
await pane.getByRole("heading", { name: "There is a problem" }).waitFor();
must(await bob.evaluate(() => document.activeElement.matches(".summary")), "the summary of errors has no focus");
await shot(bob, "summary");
await pane.getByLabel("Machine").fill(hostile);
await pane.getByLabel("Used").check();
await pane.getByLabel("Asking price").fill(big);
const unmoved = await shifts(carol), carolHears = await listens(carol);
const before = Date.now();
await pane.getByRole("button", { name: "Create contract" }).dblclick();
await carol.getByRole("link", { name: "Contract 1", exact: true }).waitFor();
tell("the contract is on another person's page", `${Date.now() - before} ms after the click`);
await carol.locator("#contracts").getByText("For sale").first().waitFor();
await bob.locator("#contracts").getByText("For sale").first().waitFor();
await carol.waitForTimeout(400);
await unmoved();
must((await carolHears()).join() === "1 contract", `a new contract is announced so: ${await carolHears()}`);
must(await bob.locator("tbody tr").count() === 1, "a double click made two contracts");
must((await carol.locator("tbody tr").innerText()).includes("9,007,199,254,740,993"), "a big number lost something");
await shot(carol, "contracts");

// --- an action, seen by the other, whose focus stays

await bob.getByRole("link", { name: "Contract 1", exact: true }).click();
await bob.getByRole("heading", { name: "What you can do now" }).waitFor();
await carol.getByRole("link", { name: "Contract 1", exact: true }).click();
await carol.getByRole("link", { name: /Make an offer/ }).click();
const offer = carol.getByRole("dialog");
await offer.getByLabel("Inspector").selectOption({ label: "Dave Diallo" });
await offer.getByLabel("Offer").fill("-3");
await offer.getByRole("button", { name: /Take action/ }).click();
await offer.getByRole("heading", { name: "There is a problem" }).waitFor().catch(() => {});
await shot(carol, "negative");
await offer.getByLabel("Offer").fill("1250000");
const verify = bob.getByRole("link", { name: /^Verify/ }).first();
await verify.focus();
const quiet = await shifts(bob), bobHears = await listens(bob);
const asked = Date.now();
await offer.getByRole("button", { name: /Take action/ }).click();
await bob.locator("#status .now strong", { hasText: "Offer made" }).waitFor();
tell("the action is on another person's page", `${Date.now() - asked} ms after the click`);
await bob.getByRole("link", { name: /Accept the offer/ }).waitFor();
await bob.waitForTimeout(400);
must(await bob.evaluate(() => document.activeElement.matches("[data-verify]")), "the focus went away with an update");
await quiet();
must((await bobHears()).join() === "State: Offer made", `an action is announced so: ${await bobHears()}`);
await shot(bob, "contract");

// --- by keyboard alone: all around, into a pane, around in it, and back

await bob.goto(base + "/contracts/1");
const stops = await walk(bob);
for (const name of ["Skip to the content", "Applications", "Accept the offer", "Verify"]) must(stops.some((s) => s.name.startsWith(name)), `the keyboard does not reach ${name}: ${stops.map((s) => s.name)}`);
must(stops[0].name === "Skip to the content", `the first stop is ${stops[0].name}`);
await bob.getByRole("link", { name: /Accept the offer/ }).focus();
await bob.keyboard.press("Enter");
await bob.getByRole("dialog").getByRole("button", { name: /Take action/ }).waitFor();
for (let i = 0; i < 8; i++) {
  await bob.keyboard.press("Tab");
  must(await bob.evaluate(() => document.activeElement === document.body || !!document.activeElement.closest("dialog")), "the focus left the pane for the page behind it");
}
await bob.keyboard.press("Escape");
await bob.getByRole("dialog").waitFor({ state: "detached" });
must(await bob.evaluate(() => document.activeElement.matches(".offer")), "the focus does not come back from the pane");
tell("the keyboard goes all around", `${stops.length} stops`);

// --- a proof, on the spot

await bob.getByRole("link", { name: /^Verify/ }).first().click();
await bob.getByText("Verified: this action is committed on the ledger.").waitFor();
await shot(bob, "proof");
tell("a receipt is verified on the spot");

// --- what is not allowed is not there

must(await carol.getByRole("link", { name: /Accept the offer/ }).count() === 0, "the buyer may accept");
const answer = await carol.goto(base + "/people");
must(answer.status() === 403, `people: ${answer.status()}`);
must((await carol.goto(base + "/contracts/99999")).status() === 404, "a contract that is not there");
await shot(carol, "missing");
for (const page of [bob, carol]) must(!page.complaints.length, page.complaints.join("\n"));

// --- without JavaScript

const dave = await signIn(browser, base, "Dave Diallo", { javaScriptEnabled: false });
await bob.getByRole("link", { name: /Accept the offer/ }).click();
await bob.getByRole("dialog").getByRole("button", { name: /Take action/ }).click();
await bob.locator("#status .now strong", { hasText: "Agreed" }).waitFor();
await dave.goto(base + "/contracts/1");
await dave.getByRole("link", { name: /Report the inspection/ }).click();
await dave.getByRole("button", { name: /Take action/ }).click();
await dave.getByRole("heading", { name: "There is a problem" }).waitFor();
await dave.getByLabel("No", { exact: true }).check();
await dave.getByLabel("Report", { exact: true }).fill("As new.");
await dave.getByRole("button", { name: /Take action/ }).click();
await dave.waitForURL("**/contracts/1?done=acted");
await bob.locator("#status .now strong", { hasText: "Inspected" }).waitFor();
await dave.goto(base + "/contracts/1");
await dave.getByRole("link", { name: /^Verify/ }).first().click();
await dave.getByText("Verified: this action is committed on the ledger.").waitFor();
await dave.goto(base + "/applications/1/workflows/1/columns");
await dave.getByLabel("Machine", { exact: true }).uncheck();
await dave.getByRole("button", { name: "Save" }).click();
must(!(await dave.locator("thead").innerText()).includes("Machine"), "the column is still there");
await dave.locator("summary", { hasText: "Dave" }).click();
await dave.getByRole("button", { name: "Deutsch" }).click();
await dave.getByRole("heading", { name: "Verträge" }).waitFor({ state: "attached" });
await shot(dave, "deutsch");
tell("the same without JavaScript, and in German");

// --- an administrator: people, roles, versions, files that are wrong

const alice = await signIn(browser, base, "Alice Adler", { colorScheme: "dark", bypassCSP: true });
await clean(alice, "applications");
await alice.getByRole("link", { name: "New application" }).click();
const files = alice.getByRole("dialog");
await files.getByLabel("1. Configuration").setInputFiles({ name: "wrong.json", mimeType: "application/json", buffer: Buffer.from(`{"ApplicationName":"Wrong","DisplayName":"Wrong","ApplicationRoles":[],"Workflows":[{"Name":"W"}]}`) });
await files.getByText(/wrong.json: \d+ error/).waitFor();
await clean(alice, "upload with findings");
await shot(alice, "upload");
await alice.keyboard.press("Escape");
await alice.goto(base + "/applications/1/members");
await clean(alice, "members");
await alice.getByRole("link", { name: "Add Inspector" }).click();
await alice.getByRole("dialog").getByLabel("Person", { exact: true }).selectOption({ label: "Carol Chen" }).catch(async () => {
  const options = await alice.getByRole("dialog").getByLabel("Person", { exact: true }).locator("option").allInnerTexts();
  await alice.getByRole("dialog").getByLabel("Person", { exact: true }).selectOption(options.find((o) => o.startsWith("Carol Chen")));
});
await alice.getByRole("dialog").getByRole("button", { name: "Add member" }).click();
await alice.locator(".note", { hasText: "The role is given." }).waitFor();
await alice.locator("table", { hasText: "Inspector" }).last().getByText("Carol Chen").first().waitFor();
await shot(alice, "members");
await alice.locator("tr", { hasText: "Carol Chen" }).last().getByRole("link", { name: /Remove/ }).click();
await alice.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
await alice.locator(".note", { hasText: "The role is taken away." }).waitFor();
for (const path of ["/applications/1/versions", "/people", "/people/new", "/people/1", "/ledger", "/ledger/1/blocks", "/ledger/1/transactions", "/contracts/1", "/applications/1/workflows/1", "/applications/1/members/new", "/nowhere"]) {
  await alice.goto(base + path);
  await clean(alice, path);
  await shot(alice, "alice" + path.replaceAll("/", "-"));
}
tell("an administrator's pages");

// --- 400 % zoom at 1280, reduced motion, forced colours, keyboard

const small = await signIn(browser, base, "Bob Berger", { viewport: { width: 320, height: 256 }, forcedColors: "active", reducedMotion: "reduce", bypassCSP: true });
for (const path of ["/applications", "/applications/1/workflows/1", "/applications/1/workflows/1/new", "/contracts/1", "/ledger/1/transactions"]) {
  await small.goto(base + path);
  must(await small.evaluate(() => document.scrollingElement.scrollWidth <= innerWidth), `${path} is wider than the window at 400 %`);
  await clean(small, `${path} at 400 %`);
  await shot(small, "zoom" + path.replaceAll("/", "-"));
}
await small.goto(base + "/contracts/1");
await small.keyboard.press("Tab");
must(await small.evaluate(() => document.activeElement.matches(".skip")), "the first stop is not the skip link");
await small.keyboard.press("Enter");
must(await small.evaluate(() => document.activeElement.id === "main"), "the skip link does not lead to the content");
tell("zoom, forced colours, keyboard");

// --- nobody signed in

const stranger = await browser.newContext();
const asked404 = await stranger.request.get(base + "/events", { maxRedirects: 0 });
must(asked404.status() === 401, `events without a session: ${asked404.status()}`);
const forged = await stranger.request.post(base + "/applications/1/turn/disabled", { maxRedirects: 0 });
must([401, 403].includes(forged.status()), `a change without a session: ${forged.status()}`);
const cross = await bob.context().request.post(base + "/applications/1/turn/disabled", { form: { csrf: "x" }, maxRedirects: 0 });
must(cross.status() === 403, `a change with a wrong token: ${cross.status()}`);
tell("strangers are refused");
await browser.close();
