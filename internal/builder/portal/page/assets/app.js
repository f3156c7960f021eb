// What makes the portal quicker. Without this file every page works by links,
// forms and reloads; with it, regions that are marked data-live follow the server,
// forms marked data-dialog open beside the page, and files are checked as they are
// chosen. Nothing here knows what anything means.

const $ = (selector, from = document) => from.querySelector(selector);
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
const [sayClose, sayLoading, sayFailed] = (document.body.dataset.texts ?? "").split("|");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// --- saying something to those who do not see it

const announcer = $("#announcer");
let saying;
function say(text) {
  if (!text || !announcer) return;
  clearTimeout(saying);
  announcer.textContent = "";
  saying = setTimeout(() => { announcer.textContent = text; }, 60);
}

// --- bringing a tree to what it should be, keeping the nodes that stay

function keyOf(node) { return node.nodeType === 1 ? node.id || null : null; }

// kindOf tells one component from another: the first word of its class.
function kindOf(node) { return node.nodeType === 1 ? (node.getAttribute("class") ?? "").split(" ")[0] : ""; }

function morph(from, to) {
  if (from.isEqualNode(to)) return;
  for (const a of [...from.attributes]) {
    if (!to.hasAttribute(a.name) && !(from.localName === "details" && a.name === "open")) from.removeAttribute(a.name);
  }
  for (const a of [...to.attributes]) {
    if (from.getAttribute(a.name) !== a.value) from.setAttribute(a.name, a.value);
  }
  if (from.hasAttribute("data-own")) return;
  if (from.localName === "progress") from.value = to.getAttribute("value");
  const kept = new Map(), wanted = new Set();
  for (const n of from.childNodes) { const k = keyOf(n); if (k) kept.set(k, n); }
  for (const n of to.childNodes) { const k = keyOf(n); if (k) wanted.add(k); }
  let at = from.firstChild;
  for (const next of [...to.childNodes]) {
    const key = keyOf(next);
    while (at && keyOf(at) && !wanted.has(keyOf(at))) { const gone = at; at = at.nextSibling; gone.remove(); }
    let old = key ? kept.get(key) : null;
    if (!key && at && !keyOf(at) && at.nodeName === next.nodeName && kindOf(at) === kindOf(next)) old = at;
    if (!old) {
      const fresh = document.importNode(next, true);
      if (key && fresh.hasAttribute?.("data-move")) fresh.classList.add("news");
      from.insertBefore(fresh, at);
      continue;
    }
    if (old === at) at = at.nextSibling;
    else from.insertBefore(old, at);
    if (old.nodeType === 1) morph(old, next);
    else if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}

// Whatever moves because something came or went slides there from where it was, so
// that nothing jumps under a reading eye (and nothing shifts by the browser's count).
function place(e) {
  let x = 0, y = 0;
  for (; e; e = e.offsetParent) { x += e.offsetLeft; y += e.offsetTop; }
  return [x, y];
}
let sliding = Promise.resolve(); // until nothing slides any more
function slide(change) {
  if (calm.matches) { change(); return; }
  const before = new Map($$("[data-move]").map((e) => [e, place(e)]));
  change();
  const moved = new Map(), moves = [];
  for (const [e, [left, top]] of before) {
    if (!e.isConnected) continue;
    const now = place(e);
    let x = left - now[0], y = top - now[1];
    moved.set(e, [x, y]);
    const parent = moved.get(e.parentElement?.closest("[data-move]"));
    if (parent) { x -= parent[0]; y -= parent[1]; }
    if (x || y) moves.push([e, `translate(${x}px, ${y}px)`]);
  }
  const started = moves.map(([e, transform]) => {
    const a = e.animate([{ transform }, { transform: "none" }], { duration: 160, easing: "cubic-bezier(.2,.7,.2,1)", composite: "add" });
    a.pause(); // until a frame has shown everything where it was
    return a;
  });
  requestAnimationFrame(() => requestAnimationFrame(() => { for (const a of started) a.play(); }));
  const limit = new Promise((done) => setTimeout(done, 400)); // a hidden page has no frames
  sliding = Promise.race([limit, Promise.allSettled(started.map((a) => a.finished))]);
}

// --- the page follows the server

async function fetchPage(url, init = {}) {
  const answer = await fetch(url, { credentials: "same-origin", ...init, headers: { "X-Requested-With": "coco", ...init.headers } });
  if (!(answer.headers.get("Content-Type") ?? "").startsWith("text/html")) throw new Error(String(answer.status));
  return { answer, page: new DOMParser().parseFromString(await answer.text(), "text/html") };
}

function take(page) {
  const held = document.activeElement, region = held?.closest?.("[data-live]");
  slide(() => {
    for (const old of $$("[data-live]")) {
      const next = page.getElementById(old.id);
      if (!next) continue;
      const said = old.dataset.say;
      morph(old, next);
      if (next.dataset.say && next.dataset.say !== said) say(next.dataset.say);
    }
  });
  if (held && region && !held.isConnected) {
    const heading = $("h2[tabindex], h1[tabindex]", region) ?? region;
    if (!heading.hasAttribute("tabindex")) heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
}

let busy = false, again = false;
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  do {
    again = false;
    try {
      await sliding; // what moves again before it arrived would jump
      const { answer, page } = await fetchPage(location.href);
      if (answer.redirected && new URL(answer.url).pathname !== location.pathname) { location.assign(answer.url); return; }
      if (answer.ok) take(page); else if (answer.status < 500) location.reload();
    } catch { /* the stream tells when the server is back */ }
  } while (again);
  busy = false;
}

function follow(url, since) {
  let stream, quiet = false;
  const open = () => {
    stream?.close();
    stream = new EventSource(since ? `${url}${url.includes("?") ? "&" : "?"}since=${since}` : url);
    since = ""; // opened again, the page is asked for anyway
    stream.onopen = () => { if (quiet) { quiet = false; refresh(); } };
    stream.onmessage = refresh;
    stream.onerror = () => {
      quiet = true;
      if (stream.readyState !== EventSource.CLOSED || document.hidden) return;
      refresh(); // signed out, no role any more, or too many streams: the page itself knows
      setTimeout(open, 3000);
    };
  };
  open();
  // A browser allows few connections to one place: hidden pages give theirs back.
  const pause = () => stream.close(), resume = () => { if (stream.readyState === EventSource.CLOSED) { open(); refresh(); } };
  document.addEventListener("visibilitychange", () => (document.hidden ? pause() : resume()));
  addEventListener("pagehide", pause);
  addEventListener("pageshow", (e) => { if (e.persisted) resume(); });
}
if (document.body.dataset.events) follow(document.body.dataset.events, document.body.dataset.since);

// Why something waits no event tells: as long as it does, the page asks now and then.
setInterval(() => { if ($("[data-wait]") && !document.hidden) refresh(); }, 5000);

const [agoNow, agoMinutes, agoHours, agoDays] = (document.body.dataset.ago ?? "").split("|");
setInterval(() => {
  for (const e of $$("time[data-ago]")) {
    const minutes = Math.floor((Date.now() - Date.parse(e.dateTime)) / 60000);
    if (!(minutes < 7 * 1440)) continue;
    const text = minutes < 1 ? agoNow : minutes < 60 ? agoMinutes.replace("{n}", minutes)
      : minutes < 1440 ? agoHours.replace("{n}", Math.floor(minutes / 60)) : agoDays.replace("{n}", Math.floor(minutes / 1440));
    if (e.textContent !== text) e.textContent = text;
  }
}, 30000);

// --- panes: a form's page, shown beside the page one is on

let pane;
function openPane(url, opener) {
  pane?.remove();
  pane = document.createElement("dialog");
  pane.className = "pane";
  pane.innerHTML = `<div class="close"><button class="quiet small" type="button"></button></div><div class="inside"><div class="bones" aria-hidden="true">${"<span></span>".repeat(6)}</div></div>`;
  const close = $("button", pane);
  close.textContent = sayClose;
  close.onclick = () => pane.close();
  pane.setAttribute("aria-label", opener.textContent.trim());
  pane.addEventListener("close", () => { pane.remove(); opener.isConnected && opener.focus(); });
  pane.addEventListener("mousedown", (e) => { if (e.target === pane && e.offsetX < 0) pane.close(); });
  document.body.append(pane);
  pane.showModal();
  say(sayLoading);
  load(pane, url);
}

async function load(into, url, init) {
  const inside = $(".inside", into);
  inside.setAttribute("aria-busy", "true");
  try {
    const { answer, page } = await fetchPage(url, init);
    const content = $("[data-pane]", page);
    if (!content || (answer.redirected && answer.ok)) {
      // The form is done (or leads elsewhere): the page shows what came of it.
      if (new URL(answer.url).pathname === location.pathname && $("[data-live]", page)) {
        into.close();
        arrived(page);
      } else location.assign(answer.url);
      return;
    }
    inside.replaceChildren(document.importNode(content, true));
    into.scrollTop = 0;
    const heading = $("h1", inside);
    if (heading) { heading.id ||= "pane-title"; into.setAttribute("aria-labelledby", heading.id); into.removeAttribute("aria-label"); }
    wire(inside);
    ($("[data-focus]", inside) ?? heading)?.focus();
  } catch {
    location.assign(init?.method === "POST" ? location.href : url);
  } finally {
    inside.removeAttribute("aria-busy");
  }
}

// arrived shows the page that a form in a pane led to, in place.
function arrived(page) {
  take(page);
  refresh(); // an event may have brought a newer one meanwhile
  const told = $("main > [role=status]", page), main = $("main");
  $("main > [role=status]")?.remove();
  if (!told) return;
  const note = document.createElement("div");
  note.className = "note";
  note.textContent = told.textContent.trim();
  $(".note")?.remove();
  main.append(note);
  say(note.textContent);
  setTimeout(() => note.remove(), 6000);
}

document.addEventListener("click", (e) => {
  if (e.defaultPrevented || e.button || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  const link = e.target.closest?.("a[href]");
  if (!link) return;
  if (link.hasAttribute("data-cancel") && link.closest("dialog")) { e.preventDefault(); link.closest("dialog").close(); return; }
  if (link.hasAttribute("data-verify")) { e.preventDefault(); verify(link); return; }
  if (link.hasAttribute("data-dialog") && typeof HTMLDialogElement === "function" && !link.closest("dialog")) { e.preventDefault(); openPane(link.href, link); }
});

// A click beside an open menu closes it, and so does Escape.
document.addEventListener("click", (e) => {
  for (const menu of $$("details.menu[open]")) if (!menu.contains(e.target)) menu.open = false;
});
document.addEventListener("keydown", (e) => {
  if (e.key !== "Escape") return;
  const menu = document.activeElement?.closest?.("details.menu[open]") ?? $("details.menu[open]");
  if (menu) { menu.open = false; $("summary", menu).focus(); }
});

// --- forms

document.addEventListener("submit", (e) => {
  const form = e.target, by = e.submitter;
  if (form.dataset.sent) { e.preventDefault(); return; }
  const dialog = form.closest("dialog");
  if (dialog && form.method === "post") {
    e.preventDefault();
    const body = new FormData(form, by);
    form.dataset.sent = "1";
    by?.setAttribute("aria-busy", "true");
    const plain = form.enctype !== "multipart/form-data";
    load(dialog, by?.getAttribute("formaction") || form.action, { method: "POST", body: plain ? new URLSearchParams(body) : body })
      .finally(() => { delete form.dataset.sent; by?.removeAttribute("aria-busy"); });
    return;
  }
  if (form.method === "post") {
    form.dataset.sent = "1"; // a second click does nothing; the page is leaving
    addEventListener("pageshow", () => { delete form.dataset.sent; }, { once: true });
  }
});

// --- proofs, on the spot

async function verify(link) {
  const region = $("[data-own]", link.closest("article"));
  link.setAttribute("aria-busy", "true");
  say(sayLoading);
  try {
    const { page } = await fetchPage(link.href);
    const proof = $("[data-proof] > *", page);
    if (!proof) throw new Error("no proof");
    slide(() => region.replaceChildren(document.importNode(proof, true)));
  } catch { location.assign(link.href); }
  link.removeAttribute("aria-busy");
}

// --- files are checked as they are chosen; columns are ordered without a reload

function wire(root) {
  for (const form of $$("form[data-check]", root)) {
    let turn = 0;
    const check = async (e) => {
      const name = e.target.name, report = $(`#report-${name}`, form), mine = ++turn;
      const files = { configuration: form.elements.configuration.files[0], code: form.elements.code.files[0] };
      if (!files[name]) { report.replaceChildren(); return; }
      const both = name === "configuration" && files.code;
      for (const part of both ? ["configuration", "code"] : [name]) {
        if (part === "code" && !files.configuration) continue;
        const where = $(`#report-${part}`, form);
        const body = new FormData();
        body.set("csrf", form.elements.csrf?.value ?? "");
        body.set("part", part);
        body.set("configuration", files.configuration);
        if (part === "code") body.set("code", files.code);
        where.setAttribute("aria-busy", "true");
        where.textContent = sayLoading;
        try {
          const { page } = await fetchPage(form.dataset.check, { method: "POST", body });
          const found = $("[data-report]", page);
          if (turn === mine) where.replaceChildren(...(found ? [...document.importNode(found, true).childNodes] : [sayFailed]));
        } catch { where.textContent = sayFailed; }
        where.removeAttribute("aria-busy");
      }
    };
    for (const input of $$("input[type=file]", form)) {
      input.addEventListener("change", check);
      const box = input.closest(".file");
      box.addEventListener("dragover", (e) => { e.preventDefault(); box.classList.add("over"); });
      box.addEventListener("dragleave", () => box.classList.remove("over"));
      box.addEventListener("drop", (e) => {
        e.preventDefault();
        box.classList.remove("over");
        if (!e.dataTransfer.files.length) return;
        input.files = e.dataTransfer.files;
        input.dispatchEvent(new Event("change"));
      });
    }
  }
  for (const form of $$("form[data-columns]", root)) {
    form.addEventListener("click", (e) => {
      const button = e.target.closest("[data-move-up], [data-move-down]");
      if (!button) return;
      e.preventDefault();
      const item = button.closest("li"), up = button.hasAttribute("data-move-up");
      const other = up ? item.previousElementSibling : item.nextElementSibling;
      if (!other) return;
      up ? other.before(item) : other.after(item);
      for (const li of $$("li", form)) {
        $("[data-move-up]", li).disabled = !li.previousElementSibling;
        $("[data-move-down]", li).disabled = !li.nextElementSibling;
      }
      (button.disabled ? $("button:not([disabled])", item) : button).focus();
      say(`${$("label", item).textContent.trim()}: ${[...item.parentElement.children].indexOf(item) + 1}`);
    });
  }
}
wire(document);
// What was done is said once, not again after a reload.
const here = new URL(location.href);
if (here.searchParams.has("done")) { here.searchParams.delete("done"); history.replaceState(null, "", here); }
$("[data-focus]")?.focus();
