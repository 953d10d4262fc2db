// Mermaid's own parser on the files named: prints the kind of each diagram, or fails with what is wrong.
// It looks for mermaid and jsdom in the folder it is started in (`npm install mermaid jsdom`).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const here = createRequire(process.cwd() + "/");
const { JSDOM } = here("jsdom");
globalThis.window = new JSDOM("").window;
globalThis.document = window.document;
const { default: mermaid } = await import(pathToFileURL(here.resolve("mermaid")));
for (const file of process.argv.slice(2)) {
  console.log((await mermaid.parse(readFileSync(file, "utf8"))).diagramType);
}
