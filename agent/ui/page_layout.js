"use strict";
/* Where the boxes go: each connected part of the graph in layers from left to right, the parts packed below each other.
 * parts() cuts, pack() places: part.slots (id -> {x: layer, y}), part.x and part.y, line.via for lines that pass layers. */
const layout = (() => {
const W = 216, H = 42, GAP_X = 74, GAP_Y = 14;

function parts(boxes, lines) {
  const root = new Map(boxes.map((b) => [b.id, b.id]));
  const find = (id) => { while (root.get(id) !== id) { root.set(id, root.get(root.get(id))); id = root.get(id); } return id; };
  for (const l of lines) root.set(find(l.from), find(l.to));
  const all = new Map();
  for (const b of boxes) {
    const r = find(b.id);
    if (!all.has(r)) all.set(r, {boxes: [], lines: []});
    all.get(r).boxes.push(b);
  }
  for (const l of lines) all.get(find(l.from)).lines.push(l);
  return [...all.values()];
}

function layer(part) {
  const below = new Map(part.boxes.map((b) => [b.id, []])), above = new Map(part.boxes.map((b) => [b.id, []]));
  for (const l of part.lines) { below.get(l.from).push(l.to); above.get(l.to).push(l.from); }
  const at = new Map(), busy = new Set();
  const visit = (id) => { // a fold can close a circle: whoever is met again counts as 0
    if (at.has(id)) return at.get(id);
    if (busy.has(id)) return -1;
    busy.add(id);
    let n = 0;
    for (const up of above.get(id)) n = Math.max(n, visit(up) + 1);
    busy.delete(id);
    at.set(id, n);
    return n;
  };
  part.boxes.forEach((b) => visit(b.id));
  const end = Math.max(...at.values());
  for (const b of part.boxes) { // sinks to the right edge; what only feeds a later layer stands next to it
    if (b.node && b.node.kind === "sink") at.set(b.id, end);
    else if (!above.get(b.id).length && below.get(b.id).length && !(b.node && b.node.kind === "source"))
      at.set(b.id, Math.max(0, Math.min(...below.get(b.id).map((x) => at.get(x))) - 1));
  }
  return at;
}

function place(part) {
  const at = layer(part), columns = [];
  const slots = new Map();
  const put = (slot) => { (columns[slot.x] = columns[slot.x] || []).push(slot); return slot; };
  for (const b of part.boxes) slots.set(b.id, put({box: b, x: at.get(b.id), ups: [], downs: []}));
  for (const l of part.lines) { // long lines bend through empty places
    let prev = slots.get(l.from);
    const end = slots.get(l.to);
    l.via = [];
    for (let x = prev.x + 1; x < end.x; x++) {
      const empty = put({x, ups: [prev], downs: []});
      prev.downs.push(empty);
      l.via.push(empty);
      prev = empty;
    }
    prev.downs.push(end);
    end.ups.push(prev);
  }
  for (let x = 0; x < columns.length; x++) columns[x] = columns[x] || [];
  columns.forEach((c) => c.forEach((s, i) => { s.order = i; }));
  for (let round = 0; round < 12; round++) {
    const down = round % 2 === 0;
    for (let i = 0; i < columns.length; i++) {
      const c = columns[down ? i : columns.length - 1 - i];
      for (const s of c) {
        const near = down ? s.ups : s.downs;
        s.want = near.length ? near.reduce((sum, n) => sum + n.order, 0) / near.length : s.order;
      }
      c.sort((a, b) => a.want - b.want || a.order - b.order);
      c.forEach((s, k) => { s.order = k; });
    }
  }
  const height = (s) => (s.box ? H : 12) + GAP_Y;
  for (const c of columns) {
    let y = 0;
    for (const s of c) { s.y = y; y += height(s); }
  }
  for (let round = 0; round < 8; round++)
    for (let i = 0; i < columns.length; i++) align(columns[round % 2 ? columns.length - 1 - i : i], height);
  let top = Infinity, bottom = 0;
  for (const c of columns) for (const s of c) { top = Math.min(top, s.y); bottom = Math.max(bottom, s.y + height(s)); }
  for (const c of columns) for (const s of c) s.y -= top;
  part.slots = slots;
  part.w = columns.length * W + (columns.length - 1) * GAP_X;
  part.h = bottom - top;
}

function align(column, height) { // to the middle of its neighbours, in order and without touching
  const middle = (s) => s.y + (height(s) - GAP_Y) / 2;
  const wish = column.map((s) => {
    const near = s.ups.concat(s.downs);
    return near.length ? near.reduce((sum, n) => sum + middle(n), 0) / near.length - (height(s) - GAP_Y) / 2 : s.y;
  });
  const blocks = []; // runs that touch, each at the mean of its wishes
  column.forEach((s, i) => {
    let b = {at: wish[i], n: 1, size: height(s), items: [s]};
    while (blocks.length && blocks[blocks.length - 1].at + blocks[blocks.length - 1].size > b.at) {
      const a = blocks.pop();
      b = {at: (a.at * a.n + (b.at - a.size) * b.n) / (a.n + b.n), n: a.n + b.n, size: a.size + b.size,
           items: a.items.concat(b.items)};
    }
    blocks.push(b);
  });
  for (const b of blocks) {
    let y = b.at;
    for (const s of b.items) { s.y = y; y += height(s); }
  }
}

function pack(all, most) { // large parts first, each into the shortest column; single boxes last
  all.forEach(place);
  all.sort((a, b) => (b.boxes.length > 1) - (a.boxes.length > 1) || b.w - a.w || b.h - a.h);
  const area = all.reduce((sum, p) => sum + (p.w + GAP_X) * (p.h + GAP_Y), 0);
  const width = Math.max(all.length ? all[0].w : 0, Math.min(Math.sqrt(area * 1.9), most));
  const skyline = [{x: 0, w: width, y: 0}];
  for (const p of all) {
    const need = Math.min(p.w, width);
    let best = null;
    for (let i = 0; i < skyline.length; i++) {
      let w = 0, y = 0, k = i;
      while (k < skyline.length && w < need) { y = Math.max(y, skyline[k].y); w += skyline[k].w; k++; }
      if (w >= need - 0.5 && (!best || y < best.y)) best = {i, y, x: skyline[i].x};
    }
    p.x = best.x;
    p.y = best.y;
    raise(skyline, best.x, Math.min(p.w + GAP_X, width - best.x), best.y + p.h + GAP_Y);
  }
  return {w: Math.max(1, ...all.map((p) => p.x + p.w)), h: Math.max(1, ...all.map((p) => p.y + p.h))};
}
function raise(skyline, x, w, y) {
  const next = [];
  for (const s of skyline) {
    const a = Math.max(s.x, x), b = Math.min(s.x + s.w, x + w);
    if (a >= b) { next.push(s); continue; }
    if (s.x < a) next.push({x: s.x, w: a - s.x, y: s.y});
    next.push({x: a, w: b - a, y});
    if (s.x + s.w > b) next.push({x: b, w: s.x + s.w - b, y: s.y});
  }
  skyline.splice(0, skyline.length, ...next);
}

return {W, H, GAP_X, parts, pack};
})();
