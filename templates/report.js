"use strict";
(async () => {
// The data is gzip in base64: five hundred groups are three megabytes of JSON, and a tenth of that packed.
const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (letter) => letter.charCodeAt(0));
const json = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
// What hides or reorders text is shown as \u{…}, as is_invisible in src/net/text.rs has it; emoji carry U+FE0F.
const INVISIBLE = /(?![\ufe00-\ufe0f])[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\ufff9-\ufffb]/gu;
const visible = (text) => text.replace(INVISIBLE, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
const data = JSON.parse(json, (_, value) => typeof value === "string" ? visible(value) : value);
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
// Everything from the data goes in as text or as an attribute of ours; nothing is ever parsed as markup.
const make = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick" || key === "oninput" || key === "onchange") node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined).map((child) => child instanceof Node ? child : String(child)));
  return node;
};
const draw = (name, attributes = {}, ...children) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};
const number = (n) => n.toLocaleString("en");
const bytes = (n) => { const units = ["B", "kB", "MB", "GB", "TB", "PB"]; let unit = 0; while (n >= 1000 && unit < 5) { n /= 1000; unit++; } return `${n.toFixed(n < 10 && unit ? 1 : 0)} ${units[unit]}`; };
const day = (seconds) => seconds ? new Date(seconds * 1000).toISOString().slice(0, 10) : "unknown";
const time = (seconds) => seconds ? new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ") : "never";
const cell = (content, kind) => make("td", { class: kind }, content);
const row = (...cells) => make("tr", {}, ...cells);
// A name that begins with # is of a column of numbers.
const heads = (names) => make("tr", {}, ...names.map((name) => make("th", { scope: "col", class: name === "copy" ? "copy" : name[0] === "#" ? "number" : false }, name.replace("#", ""))));
const groupById = new Map(data.groups.map((group, index) => [group.id, index]));
// Of several accounts one may be chosen; an empty text is all of them.
const accounts = data.accounts || [];
const UNKNOWN = "no known account";
let account = "";
const knownAccounts = new Set(accounts.map((row) => row.account_id || UNKNOWN));
const ownerOf = (group) => knownAccounts.has(group.owner) ? group.owner : UNKNOWN;
const isChosen = (owner) => !account || owner === account;
const say = (text) => { $("graph-said").textContent = text; };
// Of a large estate the page holds the most important rows; files beside it have the others.
const partly = (has, all, what, file) => has < all ? ` This page has ${number(has)} of ${number(all)} ${what}; ${file} has all.` : "";
const partNote = (...of) => { const text = partly(...of).trim(); return text ? [make("p", { class: "dim" }, text)] : []; };
const allRules = new Map(data.all.rules.map(([index, today, proposed, goes, comes]) => [index, { today, proposed, goes, comes }]));
const rulesOf = (index) => allRules.get(index) || { today: data.groups[index].today.length, proposed: data.groups[index].proposed.length, goes: data.groups[index].today.filter((rule) => rule[7]).length, comes: data.groups[index].proposed.filter((rule) => rule[0]).length };

// Theme and printing
const root = document.documentElement;
const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
const themed = () => { $("theme").textContent = dark() ? "Light" : "Dark"; };
$("theme").hidden = $("print").hidden = false;
$("theme").addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; themed(); });
$("print").addEventListener("click", () => window.print());
themed();

// Copying: a rule as a Terraform resource
const quote = (text) => `"${text.replace(/\\/g, "\\\\").replace(/"/g, "\\\"").replace(/\n/g, "\\n").replace(/\r/g, "\\r").replace(/\t/g, "\\t").replace(/\$\{/g, "$$${").replace(/%\{/g, "%%{")}"`;
const idOf = (text) => { const found = /\(((?:sg|pl)-[^)]+)\)$/.exec(text); return found ? found[1] : text; };
const terraform = (group, rule) => {
  const [, egress, protocol, from, to, target, , , id, description] = rule;
  const known = idOf(target);
  const key = known.startsWith("sg-") ? "referenced_security_group_id" : known.startsWith("pl-") ? "prefix_list_id" : known.includes(":") ? "cidr_ipv6" : "cidr_ipv4";
  const icmp = protocol === "icmp" || protocol === "icmpv6";
  const ports = from !== null ? `  from_port = ${from}\n  to_port = ${to}\n` : icmp ? "  from_port = -1\n  to_port = -1\n" : "";
  return `resource "aws_vpc_security_group_${egress ? "egress" : "ingress"}_rule" "${id.replace(/[^A-Za-z0-9_]/g, "_")}" {\n  security_group_id = ${quote(group.id)}\n  description = ${quote(description)}\n  ip_protocol = ${quote(protocol)}\n${ports}  ${key} = ${quote(known)}\n}\n`;
};
const copyButton = (what, text) => make("button", {
  type: "button", class: "copy", "aria-label": `Copy ${what}`,
  onclick: async (event) => {
    const button = event.currentTarget;
    let done = false;
    try { await navigator.clipboard.writeText(text()); done = true; } catch {
      const area = make("textarea", { "aria-hidden": "true" });
      area.value = text();
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
    }
    button.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  },
}, "Copy");

// The graph: one line for all services between two nodes with one verdict
const nodes = data.nodes.map((node, index) => ({ ...node, index, out: [], in: [] }));
const lines = new Map();
for (const [from, to, service, verdict, records, sent, connections] of data.edges) {
  const key = `${from} ${to} ${verdict}`;
  let line = lines.get(key);
  if (!line) { line = { from, to, verdict, services: [], connections: 0, bytes: 0 }; lines.set(key, line); nodes[from].out.push(line); nodes[to].in.push(line); }
  line.services.push(service);
  line.connections += connections;
  line.bytes += sent;
}
const edges = [...lines.values()];
const inside = (node) => node.group !== null;
const bandOf = (node) => inside(node) ? data.groups[node.group].vpc || "network unknown" : node.kind === "interface" || node.kind === "unlisted-interface" ? "interfaces without a group" : "outside";
const WIDE = 168, TALL = 30, ACROSS = 240, DOWN = 42;
const layout = () => {
  // A column is as far right as the longest way to it from whoever nobody calls; ways that come back to themselves are cut.
  const tier = nodes.map(() => -1);
  const calls = (line) => line.verdict === "accepted" && line.from !== line.to && inside(nodes[line.from]);
  const depth = (start) => {
    const stack = [[start, 0]], path = new Set([start.index]);
    const best = new Map([[start.index, 0]]);
    while (stack.length) {
      const top = stack[stack.length - 1];
      const [node, next] = top;
      const line = node.in[next];
      top[1]++;
      if (!line) {
        tier[node.index] = Math.min(best.get(node.index), 7);
        path.delete(node.index);
        stack.pop();
        if (stack.length) { const up = stack[stack.length - 1][0].index; best.set(up, Math.max(best.get(up), tier[node.index] + 1)); }
      } else if (calls(line) && !path.has(line.from)) {
        if (tier[line.from] >= 0) best.set(node.index, Math.max(best.get(node.index), tier[line.from] + 1));
        else { path.add(line.from); best.set(line.from, 0); stack.push([nodes[line.from], 0]); }
      }
    }
  };
  for (const node of nodes) if (inside(node) && tier[node.index] < 0) depth(node);
  // What lies outside: callers to the left, those that are only called to the right.
  const deepest = Math.max(0, ...nodes.filter(inside).map((node) => tier[node.index]));
  for (const node of nodes) if (!inside(node)) tier[node.index] = node.out.length ? 0 : deepest + 1;
  const bands = [...new Set(nodes.map(bandOf))].sort((a, b) => (a === "outside") - (b === "outside") || (a < b ? -1 : 1));
  // Many nodes of one column and network stand side by side, so that the whole is no tower.
  const tallest = nodes.length > 80 ? Math.ceil(Math.sqrt(nodes.length) / 2) + 2 : nodes.length;
  const stacks = bands.map((band) => {
    const columns = new Map();
    for (const node of nodes) if (bandOf(node) === band) { const column = tier[node.index]; if (!columns.has(column)) columns.set(column, []); columns.get(column).push(node); }
    return [band, columns];
  });
  const widths = Array(Math.max(0, ...tier) + 1).fill(1);
  for (const [, columns] of stacks) for (const [column, members] of columns) widths[column] = Math.max(widths[column], Math.ceil(members.length / tallest));
  const starts = widths.map((_, column) => widths.slice(0, column).reduce((sum, wide) => sum + wide, 0));
  let y = 0;
  const drawn = [];
  for (const [band, columns] of stacks) {
    y += 26;
    let rows = 1;
    for (const [column, members] of columns) {
      members.forEach((node, place) => {
        node.x = 70 + (starts[column] + Math.floor(place / tallest)) * ACROSS;
        node.y = y + place % tallest * DOWN;
      });
      rows = Math.max(rows, Math.min(tallest, members.length));
    }
    drawn.push({ band, y: y - 24, height: rows * DOWN + 22 });
    y += rows * DOWN + 12;
  }
  return { bands: drawn, width: 100 + widths.reduce((sum, wide) => sum + wide, 0) * ACROSS, height: y + 10 };
};
const picture = $("picture");
const layer = draw("g");
let chosen = null, hidden = new Set(["rejected"]);
const area = layout();
const view = { x: 0, y: 0, width: area.width, height: area.height };
const show = () => picture.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
const fit = () => { Object.assign(view, { x: 0, y: 0, width: area.width, height: area.height }); show(); };
const zoom = (by, cx = view.x + view.width / 2, cy = view.y + view.height / 2) => {
  view.x = cx - (cx - view.x) * by; view.y = cy - (cy - view.y) * by; view.width *= by; view.height *= by; show();
};
const short = (text, room) => [...text].length > room ? [...text].slice(0, room - 1).join("") + "…" : text;
const path = (line) => {
  const a = nodes[line.from], b = nodes[line.to];
  const shift = line.verdict === "accepted" ? 0 : line.verdict === "rejected" ? 5 : -5;
  if (a === b) return `M${a.x + WIDE},${a.y + 10} c40,-20 40,30 0,12`;
  const forward = b.x >= a.x + WIDE;
  const x1 = forward ? a.x + WIDE : a.x, x2 = forward ? b.x : b.x === a.x ? b.x : b.x + WIDE;
  const bend = forward ? Math.max(40, (x2 - x1) / 2) : -60;
  const y1 = a.y + TALL / 2 + shift, y2 = b.y + TALL / 2 + shift;
  return `M${x1},${y1} C${x1 + bend},${y1} ${x2 - (b.x === a.x ? -bend : forward ? bend : -60)},${y2} ${x2},${y2}`;
};
const described = (line) => `${nodes[line.from].label} to ${nodes[line.to].label}: ${line.services.slice(0, 12).join(", ")}${line.services.length > 12 ? " and others" : ""}; ${line.verdict}, ${number(line.connections)} connections, ${bytes(line.bytes)}`;
for (const { band, y, height } of area.bands) {
  layer.append(draw("rect", { class: "band", x: 4, y, width: area.width - 8, height, rx: 8 }));
}
for (const line of edges) {
  line.shape = draw("path", { class: `edge ${line.verdict}`, d: path(line) }, draw("title", {}, described(line)));
  line.shape.addEventListener("mouseenter", () => say(described(line)));
  layer.append(line.shape);
}
for (const node of nodes) {
  const group = inside(node) ? data.groups[node.group] : null;
  const open = group && group.open, strange = node.kind === "address";
  const what = `${node.label}, ${group ? "group" : node.kind.replace("-", " ")}${open ? ", open egress" : ""}${strange ? ", suspicious" : ""}`;
  node.shape = draw("g", { class: `node${open ? " open" : ""}${strange ? " strange" : ""}`, transform: `translate(${node.x},${node.y})`, tabindex: "0", role: "button", "aria-pressed": "false" },
    draw("title", {}, what), draw("rect", { width: WIDE, height: TALL, rx: group ? 4 : 15 }), draw("text", { x: 8, y: 19, "aria-hidden": "true" }, short(node.label, 22)));
  node.shape.addEventListener("click", () => { if (!moved) isolate(chosen === node ? null : node); });
  node.shape.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); isolate(chosen === node ? null : node); } });
  node.shape.addEventListener("mouseenter", () => say(what));
  layer.append(node.shape);
}
for (const { band, y } of area.bands) layer.append(draw("text", { class: "bandname", x: area.width - 16, y: y + 15, "text-anchor": "end" }, short(band, 60)));
picture.append(layer);
// Groups are asked for by name; 5,000 lines are redrawn by class alone.
const redraw = () => {
  // Of one account: its groups, and what they are connected to.
  const own = nodes.map((node) => !account || (inside(node) && isChosen(ownerOf(data.groups[node.group]))));
  const shownNodes = new Set();
  for (const line of edges) {
    const off = hidden.has(line.verdict) || !(own[line.from] || own[line.to]);
    if (!off) shownNodes.add(line.from).add(line.to);
    line.shape.toggleAttribute("hidden", off);
    line.shape.setAttribute("display", off ? "none" : "inline");
    line.shape.classList.toggle("away", chosen !== null && line.from !== chosen.index && line.to !== chosen.index);
  }
  const near = new Set(chosen ? [...chosen.out.map((l) => l.to), ...chosen.in.map((l) => l.from), chosen.index] : []);
  for (const node of nodes) {
    node.shape.classList.toggle("away", chosen !== null && !near.has(node.index));
    node.shape.classList.toggle("chosen", node === chosen);
    node.shape.setAttribute("display", own[node.index] || shownNodes.has(node.index) ? "inline" : "none");
    node.shape.setAttribute("aria-pressed", node === chosen);
  }
};
const isolate = (node) => {
  chosen = node;
  redraw();
  const place = $("chosen");
  place.replaceChildren();
  if (!node) return;
  const list = [...node.out.map((line) => [line, "to"]), ...node.in.map((line) => [line, "from"])];
  place.append(make("h3", {}, `${node.label}: ${list.length} lines`),
    make("div", { class: "box scroll", tabindex: "0", role: "region", "aria-label": `What ${node.label} talks to` }, make("table", {}, make("thead", {}, heads(["way", "who", "services", "verdict", "#connections", "#bytes"])),
      make("tbody", {}, ...list.slice(0, 200).map(([line, way]) => row(cell(way), cell(nodes[way === "to" ? line.to : line.from].label, "name"), cell(line.services.slice(0, 20).join(", "), "code"), cell(line.verdict), cell(number(line.connections), "number"), cell(bytes(line.bytes), "number")))))));
  if (inside(node)) detail(node.group, place);
};
const search = (text) => {
  const wanted = text.trim().toLowerCase();
  let hits = 0;
  for (const node of nodes) {
    const group = inside(node) ? data.groups[node.group] : null;
    const hit = wanted !== "" && (node.label.toLowerCase().includes(wanted) || (group && group.id.includes(wanted)));
    node.shape.classList.toggle("hit", hit);
    hits += hit;
  }
  say(wanted ? `${hits} of ${nodes.length} nodes match` : `${nodes.length} nodes, ${edges.length} lines${partly(data.edges.length, data.all.edges, "connections between groups", "report/group-connections.csv").replace(/^ /, ". ")}`);
};
const toggles = ["accepted", "quarantined", "unattributed", "rejected"].map((verdict) => make("label", {}, make("input", {
  type: "checkbox", checked: !hidden.has(verdict), id: `show-${verdict}`,
  onchange: (event) => { if (event.target.checked) hidden.delete(verdict); else hidden.add(verdict); redraw(); },
}), verdict));
$("graph-tools").append(
  make("label", {}, "Find", make("input", { type: "search", id: "search", oninput: (event) => search(event.target.value) })), ...toggles,
  make("button", { type: "button", onclick: () => zoom(0.8), "aria-label": "Zoom in" }, "+"), make("button", { type: "button", onclick: () => zoom(1.25), "aria-label": "Zoom out" }, "−"),
  make("button", { type: "button", id: "fit", onclick: () => { isolate(null); fit(); } }, "All"), make("span", { class: "dim", id: "graph-said" }));
const sample = (kind) => { const svg = draw("svg", { width: 34, height: 12, "aria-hidden": "true" }); const colour = { accepted: "var(--blue)", quarantined: "var(--orange)", unattributed: "var(--grey)", rejected: "var(--grey)" }[kind]; svg.append(draw("line", { x1: 0, x2: 34, y1: 6, y2: 6, stroke: colour, "stroke-width": kind === "quarantined" ? 3 : 1.5, "stroke-dasharray": kind === "accepted" || kind === "unattributed" ? "0" : kind === "rejected" ? "2 4" : "9 4" })); return svg; };
$("legend").append(make("span", {}, sample("accepted"), " accepted"), make("span", {}, sample("quarantined"), " quarantined"), make("span", {}, sample("unattributed"), " unattributed"), make("span", {}, sample("rejected"), " rejected"), make("span", {}, "thick border: open egress"), make("span", {}, "dashed border: suspicious address"));
let drag = null, moved = false;
const scale = () => Math.max(view.width / picture.clientWidth, view.height / picture.clientHeight);
picture.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, y: event.clientY, vx: view.x, vy: view.y }; moved = false; });
picture.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
  if (Math.abs(dx) + Math.abs(dy) < 4) return;
  moved = true;
  picture.classList.add("dragging");
  view.x = drag.vx - dx * scale(); view.y = drag.vy - dy * scale(); show();
});
for (const end of ["pointerup", "pointerleave"]) picture.addEventListener(end, () => { drag = null; picture.classList.remove("dragging"); });
picture.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.shiftKey && !event.metaKey) return;
  event.preventDefault();
  const box = picture.getBoundingClientRect();
  zoom(event.deltaY < 0 ? 0.85 : 1.18, view.x + (event.clientX - box.x) * scale(), view.y + (event.clientY - box.y) * scale());
}, { passive: false });
fit();
// A telephone shows the upper left part in a size that can be read.
if (picture.clientWidth < 600) { view.width = Math.min(area.width, picture.clientWidth * 1.7); view.height = Math.min(area.height, picture.clientHeight * 1.7); show(); }
redraw(); search("");

// Findings
const SEVERITIES = ["critical", "high", "medium", "low", "info"], SURENESS = ["high", "medium", "low"];
const wanted = { severity: "", confidence: "", text: "", suspicious: false };
let order = { key: "severity", up: true };
const PAGE = 200;
let shown = PAGE;
// A finding may stand for many.
const counted = (list) => list.reduce((sum, f) => sum + f.count, 0);
const rank = { severity: (f) => SEVERITIES.indexOf(f.severity) + (f.threat ? 0 : SEVERITIES.length), confidence: (f) => SURENESS.indexOf(f.confidence), kind: (f) => f.kind, group: (f) => nameOf(f.group_id), last: (f) => -f.last_seen, bytes: (f) => -f.bytes };
const nameOf = (id) => id === null ? "" : groupById.has(id) ? data.groups[groupById.get(id)].name : id;
const matches = (f) => (!wanted.severity || f.severity === wanted.severity) && (!wanted.confidence || f.confidence === wanted.confidence)
  && (!wanted.suspicious || f.threat) && isChosen(f.account_id || UNKNOWN)
  && (!wanted.text || `${f.kind} ${f.title} ${f.detail} ${nameOf(f.group_id)} ${f.group_id} ${f.id}`.toLowerCase().includes(wanted.text));
const groupLink = (f) => f.group_id && groupById.has(f.group_id) ? make("a", { href: "#group-detail", onclick: () => detail(groupById.get(f.group_id), $("group-detail")) }, nameOf(f.group_id)) : nameOf(f.group_id);
// Posture findings of one kind and severity share a row; every other finding has its own.
const folded = (list) => {
  const rows = [], posture = new Map();
  for (const f of list) {
    const key = f.family === "posture" ? `${f.kind} ${f.severity}` : null;
    if (key !== null && posture.has(key)) { posture.get(key).push(f); continue; }
    const same = [f];
    rows.push(same);
    if (key !== null) posture.set(key, same);
  }
  return rows;
};
const foldedRow = (same) => {
  const [f] = same, NAMED = 6;
  const names = [...new Map(same.map((one) => [one.group_id, one])).values()];
  const links = names.slice(0, NAMED).flatMap((one, position) => position ? [", ", groupLink(one)] : [groupLink(one)]);
  const more = make("details", { class: "more" }, make("summary", {}, `${f.title} (${number(counted(same))} findings)`), make("p", {}, make("strong", {}, "What to do. "), f.remediation),
    make("ul", {}, ...same.map((one) => make("li", {}, one.account_id ? `${one.account_id}: ${one.detail}` : one.detail, make("span", { class: "dim" }, ` ${one.id}`)))));
  return row(make("td", {}, make("span", { class: `badge ${f.severity}` }, f.severity)), cell(f.confidence), cell(`${f.kind} ×${number(counted(same))}`, "code"), make("td", { class: "wide" }, more),
    make("td", { class: "name" }, ...links, names.length > NAMED ? ` and ${number(names.length - NAMED)} more` : ""), cell("", "code"), cell(""), cell(""), cell("", "number"));
};
const findings = () => {
  const list = data.findings.filter(matches);
  const by = rank[order.key];
  list.sort((a, b) => { const x = by(a), y = by(b); return (x < y ? -1 : x > y ? 1 : 0) * (order.up ? 1 : -1); });
  const rows = folded(list);
  $("finding-rows").replaceChildren(...rows.slice(0, shown).map((same) => {
    if (same.length > 1) return foldedRow(same);
    const [f] = same;
    const more = make("details", { class: "more" }, make("summary", {}, f.title), make("p", {}, f.detail), make("p", {}, make("strong", {}, "What to do. "), f.remediation),
      make("p", { class: "dim" }, `${f.id}. Evidence: ${f.evidence.join(", ") || "the rules"}${f.evidence.length >= 20 ? " and perhaps more" : ""}.${f.last_seen ? ` Seen ${time(f.first_seen)} to ${time(f.last_seen)}, ${number(f.records)} records.` : ""}`,
        f.pattern ? ` Stands for ${number(f.count)} findings with a destination in ${f.pattern}.` : "", f.known_since ? ` Known since ${f.known_since}.` : "", f.benchmarks.length ? ` Benchmarks: ${f.benchmarks.join("; ")}.` : ""));
    return row(make("td", {}, make("span", { class: `badge ${f.severity}` }, f.severity)), cell(f.confidence), cell(f.count > 1 ? `${f.kind} ×${number(f.count)}` : f.kind, "code"), make("td", { class: "wide" }, more),
      make("td", { class: "name" }, groupLink(f), f.account_id ? make("span", { class: "dim" }, ` ${f.account_id}`) : null),
      cell(f.remote || f.pattern ? `${f.remote || f.pattern} ${f.protocol || ""}${f.port === null ? "" : `/${f.port}`}` : "", "code"), cell([f.outcome ? f.outcome.replace("-", " ") : "", f.known_since ? "known" : ""].filter(Boolean).join(", ")), cell(f.last_seen ? day(f.last_seen) : ""), cell(bytes(f.bytes), "number"));
  }));
  $("finding-count").replaceChildren(`${number(counted(rows.slice(0, shown).flat()))} of ${number(data.counts.findings || counted(data.findings))} findings shown${list.length < data.findings.length ? `, ${number(counted(list))} match` : ""}.${partly(data.findings.length, data.all.findings, "rows", "report/findings.csv")} `,
    rows.length > shown ? make("button", { type: "button", onclick: () => { shown += PAGE; findings(); } }, "More") : "");
  for (const th of $("finding-head").querySelectorAll("th[data-key]")) th.setAttribute("aria-sort", th.dataset.key === order.key ? (order.up ? "ascending" : "descending") : "none");
};
const sortable = (key, name) => make("th", { scope: "col", "data-key": key }, make("button", { type: "button", onclick: () => { order = { key, up: order.key === key ? !order.up : true }; findings(); } }, name));
const plain = (name) => make("th", { scope: "col" }, name);
$("finding-head").append(make("tr", {}, sortable("severity", "severity"), sortable("confidence", "confidence"), sortable("kind", "kind"), plain("what"), sortable("group", "group"), plain("destination"), plain("outcome"), sortable("last", "last seen"), sortable("bytes", "bytes")));
const choice = (id, name, values, set) => make("label", {}, name, make("select", { id, onchange: (event) => { set(event.target.value); shown = PAGE; findings(); } }, make("option", { value: "" }, "any"), ...values.map((value) => make("option", { value }, value))));
$("finding-tools").append(choice("severity", "Severity", SEVERITIES, (value) => { wanted.severity = value; }), choice("confidence", "Confidence", SURENESS, (value) => { wanted.confidence = value; }),
  make("label", {}, "Find", make("input", { type: "search", id: "finding-search", oninput: (event) => { wanted.text = event.target.value.trim().toLowerCase(); findings(); } })),
  make("label", {}, make("input", { type: "checkbox", id: "suspicious", onchange: (event) => { wanted.suspicious = event.target.checked; findings(); } }), "suspicious only"));
for (const link of document.querySelectorAll("[data-suspicious]")) link.addEventListener("click", () => { $("suspicious").checked = wanted.suspicious = true; findings(); });
findings();

// Groups
const onlyGroups = { open: false, text: "" };
const groupRows = () => {
  const list = data.groups.map((group, index) => [group, index]).filter(([group]) => isChosen(ownerOf(group)) && (!onlyGroups.open || group.open) && (!onlyGroups.text || `${group.name} ${group.id} ${group.vpc}`.toLowerCase().includes(onlyGroups.text)));
  list.sort(([a], [b]) => b.open - a.open || (a.name < b.name ? -1 : 1));
  $("group-rows").replaceChildren(...list.slice(0, 500).map(([group, index]) => {
    const { comes, goes } = rulesOf(index);
    return row(make("td", { class: "wide" }, make("a", { href: "#group-detail", onclick: () => detail(index, $("group-detail")) }, group.name)), cell(accounts.length ? `${ownerOf(group)} ${group.vpc}` : group.vpc, "code"), cell(number(group.members), "number"), cell(group.open ? "open" : "closed", group.open ? "high" : ""),
      cell(`${comes} to add, ${goes} to revoke`), cell(`${number(group.reach_before[1])} → ${number(group.reach_after[1])}`, "number"), cell(group.readiness ? group.readiness.ready ? "yes" : "not yet" : "not in use"));
  }));
  $("group-count").textContent = `${Math.min(list.length, 500)} of ${data.all.groups} groups shown.${partly(data.groups.length, data.all.groups, "groups", "report/groups.csv")}`;
};
$("group-head").append(heads(["group", "network", "#interfaces", "egress", "rules", "#reach, any hops", "enough evidence"]));
$("group-tools").append(make("label", {}, "Find", make("input", { type: "search", id: "group-search", oninput: (event) => { onlyGroups.text = event.target.value.trim().toLowerCase(); groupRows(); } })),
  make("label", {}, make("input", { type: "checkbox", id: "only-open", onchange: (event) => { onlyGroups.open = event.target.checked; groupRows(); } }), "open only"));
for (const link of document.querySelectorAll("[data-open]")) link.addEventListener("click", () => { $("only-open").checked = onlyGroups.open = true; groupRows(); });
function detail(index, place) {
  const group = data.groups[index];
  if (place.id !== "chosen") place.replaceChildren();
  const [hopB, hopsB, portB, outB] = group.reach_before, [hopA, hopsA, portA, outA] = group.reach_after;
  const addresses = (n) => n >= 1e15 ? n.toExponential(1) : number(n);
  const today = group.today.map(([egress, services, target, id, connections, alone, last, goes, description]) => row(cell(egress ? "egress" : "ingress"), cell(services, `code${goes ? " goes" : ""}`), cell(target, "code"), cell(id || "", "code"), cell(number(connections), "number"), cell(number(alone), "number"), cell(last ? day(last) : "never"), cell(goes ? "revoke" : "stays"), cell(description, "name")));
  const proposed = group.proposed.map((rule) => { const [add, egress, protocol, from, to, target, confidence, connections, id, description] = rule;
    const ports = from === null ? "" : from === to ? `/${from}` : `/${from}-${to}`;
    return row(cell(add ? "add" : "keep", add ? "add" : ""), cell(egress ? "egress" : "ingress"), cell(protocol + ports, "code"), cell(target, "code"), cell(confidence), cell(number(connections), "number"), cell(description, "name"), cell(id, "code"), make("td", {}, copyButton(`rule ${id}`, () => terraform(group, rule)))); });
  const all = rulesOf(index);
  const table = (name, names, rows) => make("div", { class: "box scroll", tabindex: "0", role: "region", "aria-label": name }, make("table", {}, make("thead", {}, heads(names)), make("tbody", {}, ...rows)));
  place.append(make("h3", {}, `${group.name} (${group.id})`),
    make("dl", {}, ...(accounts.length ? [make("dt", {}, "account"), make("dd", {}, ownerOf(group))] : []), make("dt", {}, "network"), make("dd", {}, group.vpc || "unknown"), make("dt", {}, "interfaces"), make("dd", {}, number(group.members)),
      make("dt", {}, "an intruder reaches"), make("dd", {}, `in one hop ${number(hopB)} interfaces today, ${number(hopA)} after; in any number ${number(hopsB)}, then ${number(hopsA)}; on any port ${number(portB)}, then ${number(portA)}; addresses outside ${addresses(outB)}, then ${addresses(outA)}`),
      ...(group.kept_by ? [make("dt", {}, "kept by"), make("dd", {}, group.kept_by)] : [])),
    make("h3", {}, `Today's rules, with the connections that each permitted (${all.today})`), ...partNote(today.length, all.today, "rules", "audit.json"), table(`Rules of ${group.name} today`, ["way", "services", "target", "id", "#connections", "#by it alone", "last", "then", "description"], today),
    make("h3", {}, `Rules after the change that the logs need (${all.proposed})`), ...partNote(proposed.length, all.proposed, "rules", "report/rules.csv"), table(`Rules of ${group.name} after`, ["status", "way", "services", "target", "sure", "#connections", "description", "id", "copy"], proposed),
    ...copyAll(group, all.comes));
}
const copyAll = (group, comes) => {
  const adds = group.proposed.filter((rule) => rule[0]);
  const which = adds.length < comes ? `${number(adds.length)} of ${number(comes)}` : `all ${adds.length}`;
  return adds.length ? [make("p", { class: "only-screen" }, copyButton(`${which} rules to add of ${group.name}`, () => adds.map((rule) => terraform(group, rule)).join("\n")), ` ${which} rules to add, as Terraform`)] : [];
};
groupRows();

// Accounts
if (accounts.length) {
  const nameOfAccount = (row) => row.account_id || UNKNOWN;
  const choose = (value) => { account = value; $("account").value = value; shown = PAGE; isolate(null); findings(); groupRows(); };
  $("account-tools").append(make("label", {}, "Show", make("select", { id: "account", onchange: (event) => choose(event.target.value) },
    make("option", { value: "" }, "all accounts"), ...accounts.map((row) => make("option", { value: nameOfAccount(row) }, nameOfAccount(row))))));
  $("account-head").append(heads(["account", "regions", "#VPCs", "#groups", "#open egress", "#critical", "#high", "#medium", "#rules to add", "#ready to lock", "#to other accounts", "not read"]));
  // What is of no account and only about the whole run has no figures here.
  const hasFigures = (of) => of.account_id || of.groups + of.threats_critical + of.threats_high + of.threats_medium + of.rules_to_add;
  $("account-rows").append(...accounts.filter(hasFigures).map((of) => row(make("td", {}, make("a", { href: "#accounts", onclick: () => choose(nameOfAccount(of)) }, nameOfAccount(of))), cell(of.regions.join(", ")),
    ...[of.vpcs, of.groups, of.open_groups, of.threats_critical, of.threats_high, of.threats_medium, of.rules_to_add].map((figure) => cell(number(figure), "number")),
    cell(`${number(of.groups_ready)} of ${number(of.groups_in_use)}`, "number"), cell(number(of.connections_to_others), "number"),
    cell([of.groups_unread ? `rules of ${number(of.groups_unread)} groups` : "", ...of.unread].filter(Boolean).join("; "), "wide"))));
  const between = accounts.reduce((sum, of) => sum + of.connections_to_others, 0);
  $("account-count").textContent = `${number(between)} connections between these accounts. An account that is chosen here is the only one in the graph, the findings and the groups; the other figures are of all.`;
}

// Replay, curves, coverage
const c = data.counts;
const stageRows = data.stages.map(([name, ...figures], index) => row(cell(`${index + 1}. ${name}`), ...figures.map((figure) => cell(number(figure), "number"))));
$("replay-text").append(make("p", {}, `${number(c.connections)} connections: ${number(c.permitted)} permitted by the rules after the change, ${number(c.quarantined)} quarantined with a reason${c.still_open ? ` (${number(c.still_open)} still open)` : ""}, ${number(c.rejected)} rejected in the logs, ${number(c.unattributed)} judged by no group, ${number(c.lost)} lost.`),
  make("div", { class: "box scroll", tabindex: "0", role: "region", "aria-label": "Stages" }, make("table", {}, make("thead", {}, heads(["stage", "#rules", "#groups", "#permitted after it", "#lost", "#cut at once"])), make("tbody", {}, ...stageRows))));
const W = 420, H = 220, L = 52, B = 34;
const figure = (caption, ...parts) => make("figure", {}, make("figcaption", {}, caption), draw("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": caption }, ...parts));
const axes = (top, labels) => [draw("line", { class: "axis", x1: L, x2: W - 8, y1: H - B, y2: H - B }), draw("line", { class: "axis", x1: L, x2: L, y1: 8, y2: H - B }), draw("text", { x: L - 6, y: 16, "text-anchor": "end" }, number(Math.round(top))), draw("text", { x: L - 6, y: H - B, "text-anchor": "end" }, "0"), ...labels];
const span = (index, of) => L + 14 + (of < 2 ? (W - L - 40) / 2 : index * (W - L - 46) / (of - 1));
const rise = (value, top) => H - B - (top ? value / top : 0) * (H - B - 12);
const ends = () => data.days.length ? [draw("text", { x: L + 8, y: H - 12 }, day(data.days[0][0])), draw("text", { x: W - 10, y: H - 12, "text-anchor": "end" }, day(data.days[data.days.length - 1][0]))] : [];
const figures = [];
{
  const top = Math.max(1, ...data.trade_off.map((t) => t[2]), c.exposure_before);
  const most = Math.max(1, ...data.trade_off.map((t) => t[1]));
  const at = (rules) => L + 20 + rules / most * (W - L - 90);
  figures.push(figure("Rules to add against reachable pairs, by generalisation level", ...axes(top, [draw("text", { x: W - 10, y: H - 12, "text-anchor": "end" }, `${number(most)} rules`)]),
    draw("line", { class: "axis", x1: L, x2: W - 8, y1: rise(c.exposure_before, top), y2: rise(c.exposure_before, top), "stroke-dasharray": "4 4" }), draw("text", { x: L + 6, y: rise(c.exposure_before, top) + 14 }, `today ${number(c.exposure_before)}`),
    ...data.trade_off.flatMap(([level, rules, exposure], index) => [draw("circle", { class: "dot", cx: at(rules), cy: rise(exposure, top), r: 5 }), draw("text", { x: at(rules) - 4, y: rise(exposure, top) - 10 - 14 * (data.trade_off.length - 1 - index), "text-anchor": "end" }, `${level}: ${number(rules)} rules, ${number(exposure)}`)])));
}
if (data.days.length) {
  const top = Math.max(1, ...data.days.map((d) => d[1]));
  const wide = Math.max(2, Math.min(30, (W - L - 50) / data.days.length * 0.7));
  figures.push(figure("Connections by day", ...axes(top, ends()), ...data.days.map(([, seen], index) => draw("rect", { class: "bar", x: span(index, data.days.length) - wide / 2, y: rise(seen, top), width: wide, height: H - B - rise(seen, top) }))));
  let sum = 0;
  const known = data.days.map((d) => { sum += d[2]; return sum; });
  const points = known.map((value, index) => `${span(index, known.length)},${rise(value, sum || 1)}`);
  figures.push(figure("Distinct connections, summed up by day: a flat curve means few new ones", ...axes(sum || 1, ends()), draw("polyline", { class: "line", points: points.join(" ") }), ...known.map((value, index) => draw("circle", { class: "dot", cx: span(index, known.length), cy: rise(value, sum || 1), r: 3 }))));
}
$("figures").append(...figures);
$("enough-rows").append(...data.groups.filter((group) => group.readiness).map((group) => { const r = group.readiness; return row(cell(group.name, "name"), cell(r.ready ? "yes" : "not yet", r.ready ? "add" : "medium"), cell(number(r.days), "number"), cell(number(r.connections), "number"), cell(r.chance_of_new === null ? "" : `${(r.chance_of_new * 100).toFixed(1)} %`, "number"), cell(r.unseen_at_least.toFixed(1), "number"), cell(r.wait_for.join("; "), "wide")); }));
const ready = data.groups.filter((group) => group.readiness).length;
$("enough").append(...partNote(ready, c.groups_in_use, "groups", "report/groups.csv"));
const part = (name, value) => [make("dt", {}, name), make("dd", {}, value)];
$("coverage-text").append(make("dl", {}, ...part("records", `${number(c.records_read)} read, ${number(c.records_duplicate)} duplicates, ${number(c.records_no_data)} idle intervals`), ...part("could not be read", `${number(c.records_malformed)} lines`), ...part("dropped by AWS", `${number(c.records_skip_data)} gaps (SKIPDATA)`), ...part("sources", `${number(c.sources)}, ${bytes(c.bytes_read)}`)),
  data.notes.length ? make("ul", {}, ...data.notes.map((note) => make("li", {}, note))) : "",
  ...partNote(data.notes.length, data.all.notes, "notes", "audit.json"),
  data.malformed.length ? make("details", {}, make("summary", {}, "Lines that could not be read"), make("ul", {}, ...data.malformed.map(([source, line, reason]) => make("li", {}, `${source}${line ? `, line ${line}` : ""}: ${reason}`))), ...partNote(data.malformed.length, data.all.malformed, "lines", "audit.json")) : "",
  make("details", {}, make("summary", {}, "Sources"), make("ul", {}, ...data.sources.map((source) => make("li", {}, `${source.name}: ${number(source.records)} records, ${source.format}${source.malformed ? `, ${source.malformed} not read` : ""}`))), ...partNote(data.sources.length, c.sources, "sources", "report/sources.csv")));
// On paper nothing can be clicked: everything is open, and groups that change are there with their rules.
const ON_PAPER = 100;
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const details of closed) details.open = true;
  const changed = data.groups.map((group, index) => [group, index]).filter(([group]) => group.proposed.some((rule) => rule[0]) || group.today.some((rule) => rule[7]));
  $("printed").replaceChildren();
  for (const [, index] of changed.slice(0, ON_PAPER)) { const place = make("div"); $("printed").append(place); detail(index, place); }
  if (changed.length > ON_PAPER) $("printed").append(make("p", {}, `${changed.length - ON_PAPER} groups more change; they are in audit.json.`));
  $("printed").append(...partNote(data.groups.length, data.all.groups, "groups", "report/groups.csv"));
});
addEventListener("afterprint", () => { for (const details of closed) details.open = false; $("printed").replaceChildren(); });
root.dataset.ready = "yes";
})().catch((error) => {
  document.getElementById("verdict").append(` (The rest of this page could not be shown: ${error.message}. report.md of the same run has it as text.)`);
  throw error;
});
