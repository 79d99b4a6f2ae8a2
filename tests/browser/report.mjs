// Opens reports in Chromium and says what is wrong with them.
//
//     report.mjs PEERS CHROMIUM TASK...
//
// A task is JSON: {"kind": "page" | "hostile" | "accounts" | "large" | "mermaid", "file": …, "audit": …, "shots": …}. Prints a line of figures per task; ends
// with 1 and the reasons if anything is not as it should be.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [peers, executablePath, ...tasks] = process.argv.slice(2);
const require = createRequire(`${peers}/browser/`);
const { chromium } = require("playwright-core");
const wrong = [];
const expect = (what, actual, wanted) => {
  if (JSON.stringify(actual) !== JSON.stringify(wanted)) wrong.push(`${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(wanted)}`);
};
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath, args: ARGUMENTS });

// A page that may not ask for anything, log an error, or open a dialog.
const open = async (file, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("console", (message) => { if (message.type() === "error" || message.type() === "warning") wrong.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("dialog", async (dialog) => { wrong.push(`a dialog opened: ${dialog.message()}`); await dialog.dismiss(); });
  page.on("request", (request) => { if (request.url() !== `file://${file}`) wrong.push(`a request: ${request.url()}`); });
  const begun = Date.now();
  await page.goto(`file://${file}`);
  await page.waitForSelector("html[data-ready=yes]");
  return { page, context, milliseconds: Date.now() - begun };
};
const figure = (text) => Number(text.replaceAll(",", ""));
const text = (page, selector) => page.locator(selector).innerText();
const fits = async (page, where) => expect(`width of the page ${where}`, await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);

// No two texts that are shown lie over each other: those of tiles, tools, headings and cells.
const overlaps = (page) => page.evaluate(() => {
  const shown = [...document.querySelectorAll(".tiles a, h1, h2, .verdict, .tools > *, .legend > *, figcaption")].map((node) => [node, node.getBoundingClientRect()]).filter(([, box]) => box.width && box.height);
  const over = [];
  for (const [a, p] of shown) for (const [b, q] of shown) if (a !== b && !a.contains(b) && !b.contains(a) && p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 1 && q.top < p.bottom - 1) over.push(`${a.textContent.slice(0, 30)} over ${b.textContent.slice(0, 30)}`);
  return over;
});

const axe = async (page, where) => {
  await page.evaluate(readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() => axe.run());
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(`accessibility ${where}`, serious.map(({ id, nodes }) => `${id}: ${nodes.length}, ${nodes[0].html.slice(0, 160)}`), []);
};

const ordinary = async ({ file, audit, shots }) => {
  const run = JSON.parse(readFileSync(audit, "utf8"));
  const of = (kind) => run.findings.filter((finding) => finding.kind === kind).length;
  for (const [width, height] of [[1280, 900], [390, 844]]) {
    for (const colorScheme of ["light", "dark"]) {
      const where = `at ${width}, ${colorScheme}`;
      const { page, context } = await open(file, { viewport: { width, height }, colorScheme });
      await fits(page, where);
      expect(`overlaps ${where}`, await overlaps(page), []);
      await axe(page, where);
      if (shots) { await page.screenshot({ path: `${shots}/${width}-${colorScheme}.png` }); }
      await context.close();
    }
  }
  const { page, context, milliseconds } = await open(file, { permissions: [], colorScheme: "light" });
  // The figures are those of audit.json.
  expect("open groups", figure(await text(page, "#count-open")), of("open-egress"));
  expect("rules to add", figure(await text(page, "#count-add")), run.rules.filter((rule) => rule.status === "add").length);
  expect("lost", figure(await text(page, "#count-lost")), run.replay.lost);
  expect("exposure", figure(await text(page, "#count-exposure")), run.exposure.after);
  expect("ready", figure(await text(page, "#count-ready")), run.readiness.filter((group) => group.ready).length);
  // Posture findings of one kind and severity share a row.
  const rows = (findings) => new Set(findings.map((f) => f.family === "posture" ? `${f.kind} ${f.severity}` : f.id)).size;
  expect("findings", await page.locator("#finding-rows > tr").count(), rows(run.findings));
  const suspicious = run.findings.filter((f) => ["destination", "behaviour"].includes(f.family) && ["critical", "high", "medium"].includes(f.severity)).length;
  expect("suspicious", figure(await text(page, "#count-suspicious")), suspicious);
  // One click from each figure to its evidence.
  await page.click("[data-suspicious]");
  expect("suspicious findings", await page.locator("#finding-rows > tr").count(), suspicious);
  await page.uncheck("#suspicious");
  await page.click("[data-open]");
  expect("open groups listed", await page.locator("#group-rows > tr").count(), of("open-egress"));
  // Filter, sort, search.
  await page.selectOption("#severity", "medium");
  expect("medium ones", await page.locator("#finding-rows > tr").count(), rows(run.findings.filter((f) => f.severity === "medium")));
  await page.selectOption("#severity", "");
  await page.fill("#finding-search", "irc");
  expect("IRC", await page.locator("#finding-rows > tr").count() >= of("irc") && of("irc") > 0, true);
  await page.fill("#finding-search", "");
  await page.click("#finding-head th[data-key=kind] button");
  const kinds = await page.locator("#finding-rows > tr > td:nth-child(3)").allInnerTexts();
  expect("sorted by kind", kinds, [...kinds].sort());
  await page.fill("#search", "web");
  expect("found in the graph", await page.locator("#picture .node.hit").count() > 0, true);
  await page.fill("#search", "");
  // Isolate by keyboard, and see the rules before and after.
  const web = page.locator("#picture .node", { hasText: /^web/ }).first();
  await web.focus();
  await page.keyboard.press("Enter");
  expect("others step back", await page.locator("#picture .node.away").count() > 0, true);
  expect("its rules", (await text(page, "#chosen")).includes("Rules after the change"), true);
  // Copy a rule.
  await context.grantPermissions(["clipboard-read", "clipboard-write"]).catch(() => {});
  await page.locator("#chosen td button.copy").first().click();
  await page.waitForFunction(() => [...document.querySelectorAll("#chosen td button.copy")].some((button) => button.textContent === "Copied"));
  const copied = await page.evaluate(() => navigator.clipboard.readText()).catch(() => null);
  if (copied !== null) expect("what was copied", /^resource "aws_vpc_security_group_(egress|ingress)_rule"/.test(copied), true);
  await web.focus();
  await page.keyboard.press("Enter");
  expect("all are back", await page.locator("#picture .node.away").count(), 0);
  // Refused lines are shown on request.
  await page.check("#show-rejected");
  expect("rejected lines", await page.locator("#picture .edge.rejected:not([display=none])").count(), await page.locator("#picture .edge.rejected").count());
  // The theme by hand.
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.click("#theme");
  expect("dark by hand", await ground() !== light, true);
  await page.click("#theme");
  expect("light again", await ground(), light);
  // On paper everything fits and is open.
  await page.setViewportSize({ width: 720, height: 1000 });
  await page.emulateMedia({ media: "print" });
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await fits(page, "on paper");
  expect("closed on paper", await page.locator("details:not([open])").count(), 0);
  expect("groups on paper", await page.locator("#printed > div").count() > 0, true);
  if (shots) await page.screenshot({ path: `${shots}/paper.png`, fullPage: true });
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  await page.emulateMedia({ media: null });
  const pdf = await page.pdf({ format: "A4", printBackground: true });
  expect("a PDF", pdf.subarray(0, 5).toString(), "%PDF-");
  if (shots) await page.pdf({ format: "A4", path: `${shots}/report.pdf` });
  await context.close();
  console.log(`page: ready in ${milliseconds} ms, PDF of ${pdf.length} bytes`);
};

// Whatever things are called, nothing of it becomes an element or runs.
const hostile = async ({ file }) => {
  const { page, context } = await open(file);
  const elements = () => page.evaluate(() => [document.querySelectorAll("script").length, document.querySelectorAll("img, iframe, object, embed, link, form, base").length, [...document.querySelectorAll("*")].filter((node) => [...node.attributes].some(({ name }) => name.startsWith("on"))).length, [...document.querySelectorAll("a")].filter((a) => !a.getAttribute("href").startsWith("#")).length]);
  expect("elements", await elements(), [2, 0, 0, 0]);
  const groups = await page.locator("#group-rows a").count();
  for (let index = 0; index < groups; index++) await page.locator("#group-rows a").nth(index).click();
  for (const node of await page.locator("#picture .node").all()) { await node.focus(); await page.keyboard.press("Enter"); }
  for (const summary of await page.locator("#finding-rows summary").all()) await summary.click();
  await page.locator("#coverage summary").first().click();
  expect("elements after everything was opened", await elements(), [2, 0, 0, 0]);
  await fits(page, "with hostile names");
  await axe(page, "with hostile names");
  await context.close();
  console.log(`hostile: ${groups} groups opened`);
};

// An account that is chosen is the only one in the graph, the findings and the groups.
const accounts = async ({ file, audit }) => {
  const run = JSON.parse(readFileSync(audit, "utf8"));
  // A finding about no account of its own has a row too.
  const shown = (row) => row.account_id || "no known account";
  const { page, context } = await open(file);
  await fits(page, "with accounts");
  await axe(page, "with accounts");
  expect("accounts", await page.locator("#account-rows > tr > td:first-child").allInnerTexts(), run.accounts.filter((row) => row.account_id).map(shown));
  const listed = (table) => page.locator(`#${table}-rows > tr`).count();
  const hidden = () => page.locator("#picture .node[display=none]").count();
  const rows = (findings) => new Set(findings.map((f) => f.family === "posture" ? `${f.kind} ${f.severity}` : f.id)).size;
  let without = 0;
  for (const row of run.accounts) {
    await page.selectOption("#account", shown(row));
    expect(`groups of ${shown(row)}`, await listed("group"), row.groups);
    expect(`findings of ${shown(row)}`, await listed("finding"), rows(run.findings.filter((f) => (f.account_id ?? "") === row.account_id)));
    without += await hidden();
  }
  // Whoever is connected to all stays with all.
  expect("nodes of other accounts", without > 0, true);
  await page.selectOption("#account", "");
  expect("all groups", await listed("group"), run.accounts.reduce((sum, row) => sum + row.groups, 0));
  expect("all findings", await listed("finding"), rows(run.findings));
  expect("hidden nodes", await hidden(), 0);
  await page.locator("#account-rows a").last().click();
  expect("chosen by its row", await page.locator("#account").inputValue(), shown(run.accounts.filter((row) => row.account_id).at(-1)));
  await context.close();
  console.log(`accounts: ${run.accounts.length}`);
};

const large = async ({ file }) => {
  const size = readFileSync(file).length;
  expect("size under 2 MB", size < 2_000_000, true);
  const { page, context, milliseconds } = await open(file);
  const nodes = await page.locator("#picture .node").count(), lines = await page.locator("#picture .edge").count();
  expect("groups", nodes >= 500, true);
  expect("lines", lines >= 5000, true);
  expect("the verdict and the tiles without scrolling", await page.evaluate(() => document.querySelector(".tiles").getBoundingClientRect().bottom <= innerHeight), true);
  // Interactive: it answers a click.
  const begun = Date.now();
  await page.locator("#picture .node").nth(250).dispatchEvent("click");
  await page.waitForSelector("#picture .node.chosen");
  console.log(`large: ${size} bytes, ${nodes} nodes, ${lines} lines, ready in ${milliseconds} ms, a click takes ${Date.now() - begun} ms`);
  if (milliseconds > 10_000) wrong.push(`ready after ${milliseconds} ms`);
  await context.close();
};

// Mermaid itself draws it, with as many nodes and lines as it has.
const mermaid = async ({ file }) => {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on("dialog", async (dialog) => { wrong.push(`a dialog opened: ${dialog.message()}`); await dialog.dismiss(); });
  await page.setContent("<!doctype html><title>x</title>");
  await page.addScriptTag({ path: require.resolve("mermaid/dist/mermaid.min.js") });
  const diagram = readFileSync(file, "utf8");
  const drawn = await page.evaluate(async (diagram) => {
    mermaid.initialize({ startOnLoad: false });
    const { svg } = await mermaid.render("x", diagram);
    const place = new DOMParser().parseFromString(svg, "text/html");
    // What it takes for Markdown that it can't draw it replaces by a message.
    if (svg.includes("Unsupported markdown")) throw new Error("a label was read as Markdown");
    return [place.querySelectorAll(".node").length, place.querySelectorAll(".edgePaths > path, .edgePaths path.flowchart-link").length];
  }, diagram);
  const lines = diagram.split("\n");
  expect("Mermaid's nodes and lines", drawn, [lines.filter((line) => /^ {4}n\d+(\[|\()/.test(line)).length, lines.filter((line) => line.includes("|")).length]);
  await context.close();
  console.log(`mermaid: ${drawn.join(" nodes, ")} lines`);
};

const KINDS = { page: ordinary, hostile, accounts, large, mermaid };
for (const task of tasks.map((task) => JSON.parse(task))) {
  try { await KINDS[task.kind](task); } catch (error) { wrong.push(`${task.kind}: ${error.stack}`); }
}
await browser.close();
for (const reason of wrong) console.error(reason);
process.exit(wrong.length ? 1 : 0);
