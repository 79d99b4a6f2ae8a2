// Reads a Markdown file as GitHub does (marked, which Mermaid brings along), and prints what is in it as JSON: the kinds
// of its tokens, and the text of every table cell and list item.
//
//     read_markdown.mjs PEERS FILE

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [peers, file] = process.argv.slice(2);
const { lexer } = await import(pathToFileURL(`${peers}/browser/node_modules/marked/lib/marked.esm.js`));
const kinds = {};
const texts = [];
const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&#39;": "'" };
const shown = (token) => token.tokens ? token.tokens.map(shown).join("") : (token.text ?? token.raw).replace(/&(lt|gt|amp|quot|#39);/g, (entity) => ENTITIES[entity]);
const walk = (token) => {
  const kind = token.type === "heading" ? `heading ${token.depth}` : token.type === "list" && token.ordered ? "ordered list" : token.type;
  kinds[kind] = (kinds[kind] ?? 0) + 1;
  if (token.type === "table") {
    for (const cell of [token.header, ...token.rows].flat()) { texts.push(shown(cell)); cell.tokens.forEach(walk); }
  }
  if (token.type === "list") {
    for (const item of token.items) { texts.push(shown(item)); item.tokens.forEach(walk); }
  } else {
    (token.tokens ?? []).forEach(walk);
  }
};
lexer(readFileSync(file, "utf8")).forEach(walk);
console.log(JSON.stringify({ kinds, texts }));
