// Decides pairs by one key each: the next comes at once, the answer goes to the hub meanwhile, in the order of the keys.
(() => {
  const desk = document.querySelector("[data-review]");
  if (!desk || !window.fetch) return;
  const place = document.getElementById("pair"), said = document.getElementById("said");
  const done = document.getElementById("done"), left = document.getElementById("left"), back = document.getElementById("back");
  const rows = [...document.querySelectorAll("#queue [data-pair]")];
  const MARKS = { SAME: "=", DIFFERENT: "≠", LATER: "…" };
  const cards = new Map();
  const answered = [];
  let now = Math.max(0, rows.findIndex((row) => row.hasAttribute("aria-current")));
  let sending = Promise.resolve(), waiting = 0;

  function tell(text, wrong) {
    said.hidden = !text;
    said.textContent = text || "";
    said.className = wrong ? "wrong" : "notice";
  }
  function take(html, selector) {
    return new DOMParser().parseFromString(html, "text/html").querySelector(selector);
  }
  // Only the next two are fetched ahead: each card that is fetched is a look that leaves its line.
  function fetched(row) {
    const id = row.dataset.pair;
    if (!cards.has(id)) {
      cards.set(id, fetch(`/links/${id}${location.search}`).then(async (answer) => answer.ok ? take(await answer.text(), "[data-card]") : null, () => undefined));
    }
    return cards.get(id);
  }
  const open = (row) => row && !row.dataset.said;
  const next = (from, step) => { for (let k = from + step; k >= 0 && k < rows.length; k += step) if (open(rows[k])) return k; return -1; };

  async function show(k) {
    if (k < 0 || k >= rows.length) { sending.then(() => setTimeout(() => { if (!rows.some(open)) location.assign(`/links${search()}`); })); return; }
    rows[now] && rows[now].removeAttribute("aria-current");
    now = k;
    const row = rows[k];
    row.setAttribute("aria-current", "true");
    row.scrollIntoView({ block: "nearest" });
    const card = await fetched(row);
    if (rows[now] !== row) return;
    if (card === undefined) { cards.delete(row.dataset.pair); tell(desk.dataset.lost, true); return; }
    if (card === null) { row.dataset.said = "×"; tell(desk.dataset.gone, true); advance(); return; }
    place.replaceChildren(card);
    for (let ahead = next(k, 1), n = 0; ahead >= 0 && n < 2; ahead = next(ahead, 1), n++) fetched(rows[ahead]);
  }
  function search() {
    const told = new URLSearchParams(location.search);
    told.delete("at");
    return told.toString() ? `?${told}` : "";
  }
  function advance() {
    const ahead = next(now, 1);
    show(ahead >= 0 ? ahead : next(rows.length, -1));
  }
  function count(by) {
    done.textContent = Number(done.textContent) + by;
    left.textContent = Math.max(0, Number(left.textContent) - by);
  }
  function send(url, fields) {
    waiting++;
    const answer = sending.then(() => fetch(url, { method: "POST", body: new URLSearchParams(fields), headers: { Accept: "application/json" } }));
    sending = answer.then(() => {}, () => {}).finally(() => { waiting--; });
    return answer;
  }
  async function refusal(answer) {
    const told = take(await answer.text(), "main");
    return told ? ["h1", ".wrong"].map((each) => told.querySelector(each)?.innerText ?? "").join(" ").trim() : String(answer.status);
  }

  async function decide(verdict) {
    const form = place.querySelector("form"), row = rows[now];
    // A key that comes before the next card stands there is for no pair that anybody has seen.
    if (!form || !open(row) || place.querySelector("[data-card]").dataset.card !== row.dataset.pair) return;
    const fields = new FormData(form);
    fields.set("said", verdict);
    row.dataset.said = MARKS[verdict];
    answered.push(row);
    count(1);
    tell("");
    const sent = send(form.action, fields);
    advance();
    let wrong = desk.dataset.lost;
    try {
      const answer = await sent;
      if (answer.ok) { tell((await answer.json()).notice); return; }
      wrong = await refusal(answer);
    } catch { /* nothing came back: the form's own key keeps a second try from counting twice */ }
    answered.splice(answered.indexOf(row), 1);
    cards.delete(row.dataset.pair);
    delete row.dataset.said;
    count(-1);
    tell(`${row.textContent}: ${wrong}`, true);
    if (!open(rows[now]) || !place.querySelector("[data-card]")) show(rows.indexOf(row));
  }
  // Two keys of one form are two acts: each taking back has a number of its own.
  function fresh() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64; bytes[8] = (bytes[8] & 63) | 128;
    return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }
  async function takeBack() {
    if (!back) return;
    const fields = new FormData(back);
    fields.set("once", fresh());
    try {
      const answer = await send(back.action, fields);
      if (!answer.ok) { tell(await refusal(answer), true); return; }
      const told = await answer.json(), row = answered.pop();
      tell(told.notice);
      if (!row || !told.at) { location.assign(`/links${search()}${told.at ? `${search() ? "&" : "?"}at=${told.at}` : ""}`); return; }
      row.dataset.pair = told.at;
      delete row.dataset.said;
      cards.delete(told.at);
      count(-1);
      show(rows.indexOf(row));
    } catch { tell(desk.dataset.lost, true); }
  }

  const KEYS = {
    y: () => decide("SAME"), n: () => decide("DIFFERENT"), u: () => decide("LATER"), z: takeBack,
    j: () => { const k = next(now, 1); if (k >= 0) show(k); }, k: () => { const k = next(now, -1); if (k >= 0) show(k); },
    r: () => place.querySelector("textarea")?.focus(),
    "?": () => { const keys = document.getElementById("keys"); if (keys) keys.open = !keys.open; },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.target.closest("input, textarea, select")) { if (event.key === "Escape") event.target.blur(); return; }
    const act = KEYS[event.key.toLowerCase()];
    if (!act || event.repeat) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("submit", (event) => {
    const verdict = event.submitter?.value;
    if (event.target === back) { event.preventDefault(); takeBack(); }
    else if (place.contains(event.target) && MARKS[verdict]) { event.preventDefault(); decide(verdict); }
  });
  document.getElementById("queue").addEventListener("click", (event) => {
    const row = event.target.closest("[data-pair]");
    if (!open(row) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    show(rows.indexOf(row));
  });
  window.addEventListener("beforeunload", (event) => { if (waiting) event.preventDefault(); });
  if (rows[now]) cards.set(rows[now].dataset.pair, Promise.resolve(place.querySelector("[data-card]")));
  for (let ahead = next(now, 1), n = 0; ahead >= 0 && n < 2; ahead = next(ahead, 1), n++) fetched(rows[ahead]);
})();
