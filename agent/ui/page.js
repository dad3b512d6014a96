/* Everything shown comes from GET api/v0/web/pipeline, asked for every two seconds, from .../components/ID for the
 * component that is looked at, and from the stream .../debug/ID while its items are watched. Text from outside goes
 * into the document as text nodes only. */
(() => {
const API = "api/v0/web/";
const POLL_MS = 2000, MAX_ITEMS = 500, FOLD_FROM = 60;
const PAD = 24;
const {W, H, GAP_X} = layout;
const SVG = "http://www.w3.org/2000/svg";
const SIGNS = {healthy: "●", unhealthy: "▲", exited: "■", unknown: "○"};
const $ = (id) => document.getElementById(id);

let graph = null;           // the last answer
let rates = new Map();      // id or edge -> items per second
let last = null;            // {at, nodes, edges} of the answer before
let picked = "";            // id of the component or module that is looked at
let pickedEdge = "";        // id of the one its items go to
let open = new Set();       // modules that are unfolded
let touchedFolds = false;
let drawnKey = "", view = null, zoom = 0; // 0: fit
let detailFor = "", watch = null;

function el(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {}))
    if (k === "class") e.className = v; else if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else e.setAttribute(k, v);
  e.append(...children);
  return e;
}
function svg(tag, props, text) {
  const e = document.createElementNS(SVG, tag);
  for (const [k, v] of Object.entries(props || {})) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
}
const path = (id) => id.split("/").map(encodeURIComponent).join("/");
const moduleOf = (id) => id.includes("/") ? id.slice(0, id.lastIndexOf("/")) : "";
const localOf = (id) => id.slice(id.lastIndexOf("/") + 1);
const short = (s, n) => s.length > n ? s.slice(0, n - 1) + "…" : s;
function number(n) {
  if (n === 0) return "0";
  if (n < 10) return n.toFixed(1);
  if (n < 10000) return String(Math.round(n));
  return n < 1e6 ? (n / 1e3).toFixed(n < 1e5 ? 1 : 0) + "k" : (n / 1e6).toFixed(1) + "M";
}
const plural = (n) => n + (n === 1 ? " component" : " components");
const big = (n) => n.toLocaleString("en").replaceAll(",", " ");

/* --- modules: which box stands for a component --- */

/* An import is a place for names, not a box. The items of a foreach stand in a module that is named after it. */
function arrange(answer) {
  const modules = answer.modules.filter((m) => m.kind !== "import");
  const ids = new Set(modules.map((m) => m.id));
  for (const n of answer.nodes.filter((n) => n.name === "foreach")) {
    modules.push({id: n.id, kind: "foreach", declared: "", health: n.health, message: n.message});
    ids.add(n.id);
  }
  for (const m of modules) {
    m.parent = moduleOf(m.id);
    while (m.parent && !ids.has(m.parent)) m.parent = moduleOf(m.parent);
  }
  answer.modules = modules.sort((a, b) => (a.id < b.id ? -1 : 1));
  answer.nodes = answer.nodes.filter((n) => n.name !== "foreach");
}
function shownAs(id) { // the outermost folded module that holds it, else itself
  const parts = id.split("/");
  let at = "";
  for (let i = 0; i < parts.length - 1; i++) {
    at = at ? at + "/" + parts[i] : parts[i];
    if (graph.byModule.has(at) && !open.has(at)) return at;
  }
  return id;
}
const isModule = (id) => graph.byModule.has(id);
const worst = (a, b) => ["unknown", "healthy", "exited", "unhealthy"].indexOf(b) >
  ["unknown", "healthy", "exited", "unhealthy"].indexOf(a) ? b : a;

function inside(id) { return graph.nodes.filter((n) => n.id.startsWith(id + "/")); }
function healthOf(id) {
  const node = graph.byId.get(id);
  if (node) return node.health;
  const m = graph.byModule.get(id);
  return inside(id).reduce((h, n) => worst(h, n.health), m ? m.health : "unknown");
}

/* --- what is drawn: boxes and lines --- */

function wanted(id) {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const node = graph.byId.get(id);
  const text = (id + " " + (node ? node.message + " " + node.name : "")).toLowerCase();
  const health = healthOf(id);
  return words.every((w) => text.includes(w)) && (!$("unwell").checked || health === "unhealthy" || health === "exited");
}

function visible() {
  const boxes = new Map(), lines = new Map();
  const box = (id) => {
    if (!boxes.has(id)) boxes.set(id, {id, health: healthOf(id), node: graph.byId.get(id), module: isModule(id)});
    return boxes.get(id);
  };
  for (const n of graph.nodes) box(shownAs(n.id));
  for (const m of graph.modules)
    if (!open.has(m.id) && shownAs(m.id) === m.id) box(m.id);
  const line = (from, to, type) => {
    const a = shownAs(from), b = shownAs(to);
    if (a === b || !boxes.has(a) || !boxes.has(b)) return null;
    const key = a + " " + b + " " + type;
    if (!lines.has(key)) lines.set(key, {from: a, to: b, type, parts: []});
    return lines.get(key);
  };
  for (const e of graph.edges) {
    const l = line(e.from, e.to, e.type);
    if (l) l.parts.push(e.key);
  }
  const flows = new Set([...lines.values()].map((l) => l.from + " " + l.to));
  for (const [user, used] of graph.references) { // a receiver that is used is an edge already
    const a = shownAs(user), b = shownAs(used);
    if (!flows.has(a + " " + b) && !flows.has(b + " " + a)) line(used, user, "ref");
  }
  return {boxes: [...boxes.values()], lines: [...lines.values()]};
}

/* --- drawing --- */

function draw() {
  const {boxes, lines} = visible();
  const key = JSON.stringify([boxes.map((b) => b.id), lines.map((l) => [l.from, l.to, l.type])]);
  if (key !== drawnKey) {
    drawnKey = key;
    rebuild(boxes, lines);
  }
  refresh();
}

function rebuild(boxes, lines) {
  const all = layout.parts(boxes, lines), size = layout.pack(all, $("canvas").clientWidth / 0.75);
  const root = svg("svg", {viewBox: `${-PAD} ${-PAD} ${size.w + 2 * PAD} ${size.h + 2 * PAD}`,
    role: "group", "aria-label": "Graph of components, sources on the left"});
  const wires = svg("g"), grips = svg("g"), nodes = svg("g");
  view = {root, w: size.w + 2 * PAD, h: size.h + 2 * PAD, nodes: new Map(), wires: [], at: new Map()};
  for (const p of all) {
    for (const [id, s] of p.slots) {
      const x = p.x + s.x * (W + GAP_X), y = p.y + s.y;
      view.at.set(id, {x, y});
      nodes.append(drawNode(s.box, x, y));
    }
    const side = new Map(); // several kinds between the same two run beside each other
    for (const l of p.lines) {
      const n = side.get(l.from + " " + l.to) || 0;
      side.set(l.from + " " + l.to, n + 1);
      const d = curve(p, l, n * 5), wire = svg("path", {d, class: "edge " + l.type}), grip = svg("path", {d, class: "grip"});
      wire.append(svg("title"));
      grip.append(svg("title"));
      if (l.type !== "ref") grip.addEventListener("click", () => pick(l.from, l.to));
      view.wires.push({l, wire, grip});
      wires.append(wire);
      grips.append(grip);
    }
  }
  root.append(wires, grips, nodes);
  $("canvas").replaceChildren(root);
  scale();
}

function curve(p, l, aside) {
  const a = p.slots.get(l.from), b = p.slots.get(l.to);
  const left = (s) => p.x + s.x * (W + GAP_X), mid = (s) => p.y + s.y + (s.box ? H / 2 : 6) + aside;
  let x = left(a) + W, y = mid(a), d = `M${x} ${y}`;
  for (const v of l.via.concat([b])) {
    const nx = left(v), ny = mid(v), bend = Math.max(24, Math.abs(nx - x) / 2);
    d += ` C${x + bend} ${y} ${nx - bend} ${ny} ${nx} ${ny}`;
    x = nx; y = ny;
    if (!v.box) { x = nx + W; d += ` L${x} ${y}`; }
  }
  return d;
}

function drawNode(box, x, y) {
  const g = svg("g", {transform: `translate(${x} ${y})`, tabindex: "0", role: "button"});
  const local = localOf(box.id), name = box.node ? box.node.name : local;
  const label = box.node && local.startsWith(name + ".") ? local.slice(name.length + 1) : local;
  if (box.module) g.append(svg("rect", {class: "pile", x: 5, y: 5, width: W, height: H, rx: 6}));
  g.append(svg("rect", {class: "box", width: W, height: H, rx: 6}), svg("rect", {class: "stripe", width: 5, height: H, rx: 2}));
  const module = box.id.slice(0, box.id.length - local.length), title = svg("text", {x: 14, y: 17});
  if (module) title.append(svg("tspan", {class: "sub"}, short(module, 27 - Math.min(15, label.length))));
  title.append(svg("tspan", {class: "name"}, short(label, module ? 15 : 25)));
  g.append(title);
  const sub = box.module ? "module, " + plural(inside(box.id).length) : name;
  g.append(svg("text", {class: "sub", x: 14, y: 33}, short(sub, 26)));
  g.append(svg("text", {class: "sign", x: W - 16, y: 17}), svg("text", {class: "rate", x: W - 8, y: 33, "text-anchor": "end"}));
  g.append(svg("title"));
  g.addEventListener("click", () => pick(box.id));
  g.addEventListener("dblclick", () => { if (isModule(box.id)) fold(box.id, false); });
  g.addEventListener("keydown", (e) => nodeKey(e, box.id));
  view.nodes.set(box.id, {g, box});
  return g;
}

/* Left and right along the lines, up and down to the nearest box. */
function nodeKey(e, id) {
  if (e.key === "Enter" || e.key === " ") { e.preventDefault(); pick(id); return; }
  const here = view.at.get(id);
  let to = null;
  if (e.key === "ArrowRight") to = view.wires.find((w) => w.l.from === id)?.l.to;
  if (e.key === "ArrowLeft") to = view.wires.find((w) => w.l.to === id)?.l.from;
  if (e.key === "ArrowUp" || e.key === "ArrowDown") {
    const way = e.key === "ArrowUp" ? -1 : 1;
    const near = [...view.at].filter(([, p]) => (p.y - here.y) * way > 0)
      .sort((a, b) => Math.hypot((a[1].x - here.x) * 2, a[1].y - here.y) - Math.hypot((b[1].x - here.x) * 2, b[1].y - here.y));
    to = near[0]?.[0];
  }
  if (to) { e.preventDefault(); view.nodes.get(to).g.focus(); }
}

function rateOf(id) {
  const one = (i) => Math.max(rates.get("in " + i) || 0, rates.get("out " + i) || 0);
  if (!isModule(id)) return one(id);
  let into = 0, out = 0; // what crosses its border, else the most of what is inside
  for (const e of graph.edges) {
    const a = within(id, e.from), b = within(id, e.to), rate = rates.get("edge " + e.key) || 0;
    if (a && !b) out += rate;
    if (b && !a) into += rate;
  }
  return Math.max(into, out) || Math.max(0, ...inside(id).map((n) => one(n.id)));
}

function refresh() {
  const filtered = $("filter").value.trim() !== "" || $("unwell").checked;
  for (const {g, box} of view.nodes.values()) {
    const health = healthOf(box.id), node = graph.byId.get(box.id);
    const faint = filtered && !(wanted(box.id) || (box.module && inside(box.id).some((n) => wanted(n.id))));
    g.setAttribute("class", "node " + health + (box.id === picked ? " picked" : "") + (faint ? " faint" : ""));
    g.setAttribute("aria-label", box.id + ", " + health);
    g.querySelector(".sign").textContent = SIGNS[health];
    const rate = rateOf(box.id);
    g.querySelector(".rate").textContent = rate > 0 ? number(rate) + "/s" : "";
    g.querySelector("title").textContent = box.id + "\n" + health + (node && node.message ? ": " + node.message : "");
  }
  for (const {l, wire, grip} of view.wires) {
    const rate = l.parts.reduce((sum, k) => sum + (rates.get("edge " + k) || 0), 0);
    const near = !picked || l.from === picked || l.to === picked;
    const isPicked = picked === l.from && pickedEdge === l.to;
    wire.setAttribute("class", "edge " + l.type + (rate > 0 ? " flows" : "") + (near ? "" : " faint") + (isPicked ? " picked" : ""));
    const text = l.type === "ref" ? l.to + " refers to " + l.from
      : l.from + " → " + l.to + "\n" + l.type.replace("_", " ") + (rate > 0 ? ", " + number(rate) + "/s" : "");
    wire.firstChild.textContent = grip.firstChild.textContent = text;
  }
}

function scale() {
  if (!view) return;
  const room = $("canvas");
  const z = zoom || Math.max(0.6, Math.min(1, (room.clientWidth - 4) / view.w)); // by width: down is scrolled
  view.root.setAttribute("width", view.w * z);
  view.root.setAttribute("height", view.h * z);
  view.scale = z;
}
function zoomBy(f) { zoom = Math.min(3, Math.max(0.15, (view ? view.scale : 1) * f)); scale(); }

/* --- the list --- */

function rows() {
  const out = [];
  const add = (module, depth) => {
    const here = graph.modules.filter((m) => m.parent === module).map((m) => ({id: m.id, depth, module: m}))
      .concat(graph.sorted.filter((n) => n.module === module).map((n) => ({id: n.id, depth, node: n})));
    const isBad = (r) => ["unhealthy", "exited"].includes(healthOf(r.id));
    for (const r of here.filter(isBad).concat(here.filter((r) => !isBad(r)))) {
      out.push(r);
      if (r.module && open.has(r.id)) add(r.id, depth + 1);
    }
  };
  add("", 0);
  return out;
}

function list() {
  const body = document.querySelector("#list tbody");
  const filtered = $("filter").value.trim() !== "" || $("unwell").checked;
  const all = filtered ? graph.sorted.map((n) => ({id: n.id, depth: 0, node: n})) : rows();
  const shown = all.filter((r) => !filtered || wanted(r.id));
  const had = new Map([...body.children].map((tr) => [tr.dataset.id, tr]));
  const next = shown.map((r) => fillRow(had.get(r.id) || makeRow(r), r, filtered));
  if (next.length !== body.children.length || next.some((tr, i) => tr !== body.children[i])) body.replaceChildren(...next);
  $("none").hidden = shown.length !== 0;
  $("none").textContent = graph.nodes.length ? "No component fits." : "There is no component: the configuration is empty or not loaded yet.";
}

function makeRow(r) {
  const turn = el("button", {class: "turn", type: "button", onclick: (e) => { e.stopPropagation(); fold(r.id, open.has(r.id)); }});
  const name = el("button", {class: "link", type: "button", onclick: (e) => { e.stopPropagation(); pick(r.id); }});
  const tr = el("tr", {onclick: () => pick(r.id)}, el("td", {class: "name"}, turn, name), el("td"),
    el("td", {class: "n"}), el("td", {class: "n"}), el("td", {class: "n"}), el("td", {class: "message"}));
  tr.dataset.id = r.id;
  return tr;
}

function set(e, text) { if (e.textContent !== text) e.textContent = text; }

function fillRow(tr, r, flat) {
  const [name, health, into, out, dropped, message] = tr.children, state = healthOf(r.id);
  const [turn, link] = name.children;
  tr.className = r.id === picked ? "picked" : "";
  turn.hidden = !r.module;
  set(turn, open.has(r.id) ? "▾" : "▸");
  turn.setAttribute("aria-label", (open.has(r.id) ? "Fold " : "Unfold ") + r.id);
  turn.setAttribute("aria-expanded", String(open.has(r.id)));
  name.style.paddingLeft = 1 + r.depth * 1.4 + (r.module ? 0 : 1.6) + "em";
  set(link, flat || r.module ? (flat ? r.id : localOf(r.id)) : localOf(r.id));
  health.className = state;
  set(health, SIGNS[state] + " " + state);
  const inner = r.module ? inside(r.id) : [r.node];
  const sum = (f) => inner.reduce((s, n) => s + f(n), 0);
  set(into, r.module ? "" : number(rates.get("in " + r.id) || 0));
  set(out, r.module ? "" : number(rates.get("out " + r.id) || 0));
  set(dropped, big(sum((n) => n.dropped)));
  set(message, r.module ? r.module.message || plural(inner.length) : r.node.message);
  return tr;
}

function fold(id, close) {
  touchedFolds = true;
  if (close) open.delete(id); else open.add(id);
  draw();
  list();
}

/* --- one component --- */

function pick(id, edge) {
  const same = id === picked && (edge || "") === pickedEdge;
  picked = id;
  pickedEdge = edge || "";
  const hash = id ? "#c=" + encodeURIComponent(id) : "";
  if (location.hash !== hash) history.pushState(null, "", location.pathname + location.search + hash);
  if (!same) stopWatching();
  if (edge) { detail(); $("d-edge").value = edge; startWatching(); } else detail();
  if (graph && view) { refresh(); list(); }
}

function detail() {
  const node = graph && graph.byId.get(picked), module = graph && graph.byModule.get(picked);
  if ($("detail").hidden !== (!node && !module)) {
    $("detail").hidden = !node && !module;
    document.body.classList.toggle("with-detail", !$("detail").hidden);
    scale();
  }
  if (!node && !module) { detailFor = ""; return; }
  set($("d-title"), picked);
  const health = healthOf(picked), about = node || module;
  $("d-health").className = health;
  set($("d-health"), SIGNS[health] + " " + health + (about.message ? ": " + about.message : "") + (node ? " (since " + node.since + ")" : ""));
  set($("d-counts"), node ? `in ${big(node.in)} · created ${big(node.created)} · out ${big(node.out)} · dropped ${big(node.dropped)} · held ${big(node.held)}` : "");
  neighbours();
  if (detailFor !== picked) {
    detailFor = picked;
    $("d-items").replaceChildren();
    for (const id of ["d-arguments", "d-exports", "d-debug"]) $(id).textContent = "";
    body(picked);
  }
}

function within(id, owner) { return owner === id || owner.startsWith(id + "/"); }

function neighbours() {
  const out = graph.edges.filter((e) => within(picked, e.from) && !within(picked, e.to));
  const into = graph.edges.filter((e) => within(picked, e.to) && !within(picked, e.from));
  const key = JSON.stringify([picked, pickedEdge, out.map((e) => e.key), into.map((e) => e.key)]);
  const item = (e, other) => {
    const rate = rates.get("edge " + e.key) || 0;
    return el("li", {}, el("button", {type: "button", onclick: () => pick(other)}, other),
      ` ${e.type.replace("_", " ")}, ${number(rate)}/s, ${big(e.items)} in all`);
  };
  const lists = [];
  if (into.length) lists.push("gets from", el("ul", {}, ...into.map((e) => item(e, e.from))));
  if (out.length) lists.push("sends to", el("ul", {}, ...out.map((e) => item(e, e.to))));
  const focus = $("d-edges").contains(document.activeElement);
  if (!focus) $("d-edges").replaceChildren(...lists);
  if ($("d-edge").dataset.key === key) return;
  $("d-edge").dataset.key = key;
  const targets = [...new Set(out.map((e) => e.to))], before = pickedEdge || $("d-edge").value;
  if (pickedEdge && !targets.includes(pickedEdge) && targets.some((t) => within(pickedEdge, t))) targets.push(pickedEdge);
  $("d-edge").replaceChildren(el("option", {value: ""}, "what comes in and goes out"),
    ...targets.map((t) => el("option", {value: t}, "only to " + t)));
  if (targets.includes(before)) $("d-edge").value = before;
  $("d-watch").disabled = !out.length && !into.length;
}

async function body(id) {
  let text = "", answer = null;
  try {
    const r = await fetch(API + "components/" + path(id), {cache: "no-store"});
    if (r.ok) answer = await r.json(); else text = await r.text();
  } catch (e) { text = String(e); }
  if (detailFor !== id) return;
  const show = (key, values) => values ? Object.keys(values).length ? JSON.stringify(values, null, 2) : "none"
    : river(answer[key], "") || "none";
  $("d-arguments").textContent = answer ? show("arguments", answer.argumentValues) : text;
  $("d-exports").textContent = answer ? show("exports", answer.exportValues) : "";
  const more = answer && answer.debugInfo && Object.keys(answer.debugInfo).length;
  $("d-debug").hidden = $("d-debug-title").hidden = !more;
  $("d-debug").textContent = more ? JSON.stringify(answer.debugInfo, null, 2) : "";
}

/* Alloy's form of a body, written as the language writes it. */
function river(statements, indent) {
  return (statements || []).map((s) => s.type === "block"
    ? `${indent}${s.name}${s.label ? " " + JSON.stringify(s.label) : ""} {\n${river(s.body, indent + "  ")}${indent}}\n`
    : `${indent}${s.name} = ${value(s.value, indent)}\n`).join("");
}
function value(v, indent) {
  const inner = indent + "  ";
  if (v.type === "array") {
    const items = v.value.map((x) => value(x, inner)), line = "[" + items.join(", ") + "]";
    return line.length < 90 && !line.includes("\n") ? line : "[\n" + items.map((x) => inner + x + ",\n").join("") + indent + "]";
  }
  if (v.type === "object") {
    const items = v.value.map((f) => (/^[A-Za-z_]\w*$/.test(f.key) ? f.key : JSON.stringify(f.key)) + " = " + value(f.value, inner));
    const line = "{" + items.join(", ") + "}";
    return line.length < 70 && !line.includes("\n") ? line : "{\n" + items.map((x) => inner + x + ",\n").join("") + indent + "}";
  }
  return v.type === "string" ? JSON.stringify(v.value) : String(v.value);
}

/* --- live items --- */

function addItem(text, note) {
  const log = $("d-items"), isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 24;
  const way = note ? null : /^\[([^\]]*)\] /.exec(text);
  log.append(way ? el("div", {}, el("span", {class: "way"}, way[0]), text.slice(way[0].length)) : el("div", note ? {class: "note"} : {}, text));
  while (log.children.length > MAX_ITEMS) log.firstChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function stopWatching() {
  if (watch) watch.abort();
  watch = null;
  $("d-watch").textContent = "Watch";
  set($("d-state"), "");
}

async function startWatching() {
  stopWatching();
  const mine = watch = new AbortController();
  const to = $("d-edge").value, share = $("d-share").value;
  $("d-watch").textContent = "Stop";
  set($("d-state"), "watching");
  try {
    const r = await fetch(`${API}debug/${path(picked)}?sampleProb=${share}${to ? "&to=" + encodeURIComponent(to) : ""}`,
      {cache: "no-store", signal: mine.signal});
    if (!r.ok) throw new Error(await r.text());
    const reader = r.body.getReader(), decoder = new TextDecoder();
    for (let rest = "";;) {
      const {value: bytes, done} = await reader.read();
      if (done) break;
      const pieces = (rest + decoder.decode(bytes, {stream: true})).split("|;|");
      rest = pieces.pop();
      for (const p of pieces) if (p.trim()) addItem(p.replace(/^\n+/, ""), p.trimStart().startsWith("…"));
    }
    if (watch === mine) addItem("the agent has ended the stream", true);
  } catch (e) {
    if (e.name !== "AbortError" && watch === mine) addItem(e.message, true);
  }
  if (watch === mine) stopWatching();
}

/* --- the head, and asking again --- */

function head() {
  const c = graph.config, n = {healthy: 0, unhealthy: 0, exited: 0, unknown: 0};
  graph.nodes.forEach((x) => n[x.health]++);
  set($("version"), graph.agent.version);
  set($("host"), graph.agent.hostname + " · " + graph.agent.os + "/" + graph.agent.arch);
  $("load").className = c.ok ? "healthy" : "unhealthy";
  set($("load"), !c.ready && c.ok ? "no configuration yet" : c.ok ? "● configuration of " + c.loadedAt.replace("T", " ").slice(0, 19) + " UTC"
    : "▲ the last load failed (" + c.askedAt.replace("T", " ").slice(0, 19) + " UTC), " + (c.ready ? "the old configuration goes on" : "nothing runs"));
  $("load").title = c.hash ? "SHA-256 " + c.hash : "";
  const counted = Object.entries(n).filter(([k, v]) => v || k === "healthy");
  if ($("counts").dataset.of !== JSON.stringify(counted)) {
    $("counts").dataset.of = JSON.stringify(counted);
    $("counts").replaceChildren(...counted.map(([k, v]) => el("span", {class: k}, SIGNS[k] + " " + v + " " + k)));
  }
  $("said").hidden = !graph.text;
  $("said").className = c.ok ? "" : "bad";
  if (!c.ok && $("said").dataset.at !== c.askedAt) $("said").open = true;
  $("said").dataset.at = c.askedAt;
  set(document.querySelector("#said summary"), c.ok ? "Warnings of the last load" : "What was wrong");
  set(document.querySelector("#said pre"), graph.text);
  $("fold").hidden = !graph.modules.length;
  set($("fold"), graph.modules.some((m) => open.has(m.id)) ? "Fold modules" : "Unfold modules");
  document.title = (n.unhealthy + n.exited ? "▲ " : "") + "hyagent " + graph.agent.hostname;
}

function measure(now) {
  const next = {at: now, n: new Map()};
  for (const n of graph.nodes) { next.n.set("in " + n.id, n.in); next.n.set("out " + n.id, n.out); }
  for (const e of graph.edges) next.n.set("edge " + e.key, e.items);
  rates = new Map();
  if (last)
    for (const [k, v] of next.n) {
      const before = last.n.get(k);
      if (before !== undefined) rates.set(k, Math.max(0, v - before) * 1000 / Math.max(1, now - last.at));
    }
  last = next;
}

function take(answer) {
  graph = answer.graph;
  graph.text = answer.loadText;
  arrange(graph);
  const isBad = (n) => n.health === "unhealthy" || n.health === "exited";
  graph.sorted = [...graph.nodes].sort((a, b) => isBad(b) - isBad(a) || (a.id < b.id ? -1 : 1));
  graph.byId = new Map(graph.nodes.map((n) => [n.id, n]));
  graph.byModule = new Map(graph.modules.map((m) => [m.id, m]));
  for (const n of graph.nodes) {
    n.module = moduleOf(n.id);
    while (n.module && !graph.byModule.has(n.module)) n.module = moduleOf(n.module);
  }
  graph.edges.forEach((e) => { e.key = e.from + " " + e.to + " " + e.type; });
  if (!touchedFolds && graph.nodes.length <= FOLD_FROM) graph.modules.forEach((m) => open.add(m.id));
  measure(performance.now());
  head();
  draw();
  list();
  detail();
}

async function ask() {
  try {
    const r = await fetch(API + "pipeline", {cache: "no-store"});
    if (!r.ok) throw new Error(await r.text());
    take(await r.json());
    $("offline").hidden = true;
  } catch (e) {
    $("offline").hidden = false;
    $("offline").title = String(e);
  }
  setTimeout(ask, document.hidden ? 5 * POLL_MS : POLL_MS);
}

function fromHash() {
  const m = /^#c=(.*)$/.exec(location.hash);
  const id = m ? decodeURIComponent(m[1]) : "";
  if (id !== picked) { stopWatching(); picked = id; pickedEdge = ""; }
  if (graph) { detail(); refresh(); list(); }
}

$("filter").addEventListener("input", () => { refresh(); list(); });
$("unwell").addEventListener("change", () => { refresh(); list(); });
$("fold").addEventListener("click", () => {
  const isAnyOpen = graph.modules.some((m) => open.has(m.id));
  touchedFolds = true;
  graph.modules.forEach((m) => { if (isAnyOpen) open.delete(m.id); else open.add(m.id); });
  head(); draw(); list();
});
$("zoom-in").addEventListener("click", () => zoomBy(1.25));
$("zoom-out").addEventListener("click", () => zoomBy(0.8));
$("zoom-fit").addEventListener("click", () => { zoom = 0; scale(); });
$("d-close").addEventListener("click", () => pick(""));
$("d-clear").addEventListener("click", () => $("d-items").replaceChildren());
$("d-watch").addEventListener("click", () => { if (watch) stopWatching(); else startWatching(); });
$("d-edge").addEventListener("change", () => { pickedEdge = $("d-edge").value; refresh(); if (watch) startWatching(); });
$("d-share").addEventListener("change", () => { if (watch) startWatching(); });
addEventListener("resize", scale);
addEventListener("popstate", fromHash);
addEventListener("hashchange", fromHash);
addEventListener("keydown", (e) => {
  const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName);
  if (e.key === "Escape") {
    if (e.target === $("filter") && $("filter").value) { $("filter").value = ""; refresh(); list(); } else if (picked) pick("");
  }
  if (isTyping || e.ctrlKey || e.altKey || e.metaKey) return;
  if (e.key === "/") { e.preventDefault(); $("filter").focus(); }
  if (e.key === "+") zoomBy(1.25);
  if (e.key === "-") zoomBy(0.8);
  if (e.key === "0") { zoom = 0; scale(); }
});
fromHash();
ask();
})();
