// For `saker module build`: makes JavaScript of the module's TypeScript, if there is some. The
// argument is `node_modules`, where componentize-js brings the compiler; of `typescript` itself, 7 has
// nothing that a program could call.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const sources = readdirSync(".").filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));
if (sources.length > 0) {
  const known = ["typescript-compiler-api", "typescript"].map((name) => join(process.argv[2], name));
  const folder = known.find((folder) => existsSync(join(folder, "lib/typescript.js")));
  if (!folder) {
    console.error("`typescript` is not installed: `npm install typescript@6` does");
    process.exit(1);
  }
  const typescript = createRequire(import.meta.url)(folder);
  for (const name of sources) {
    const { outputText } = typescript.transpileModule(readFileSync(name, "utf8"), {
      compilerOptions: { module: typescript.ModuleKind.ESNext, target: typescript.ScriptTarget.ES2022 },
    });
    writeFileSync(name.replace(/\.ts$/, ".js"), outputText);
  }
}
