// For `saker module build`: the arguments are the folders of the package `componentize-js` and
// of the world. There is no WASI: what of it the engine would have is left out.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, world] = process.argv.slice(2);
const { exports, main } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const entry = exports?.import ?? exports?.["."]?.import ?? main;
const { componentize } = await import(pathToFileURL(join(folder, entry)));
const { component } = await componentize({
  sourcePath: resolve("saker/glue.js"),
  witPath: world,
  worldName: "rules",
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
writeFileSync("module.wasm", component);
