// For `saker module build`: what the module wants to be allowed.
const { default: own } = await import("../module.js");
for (const wanted of own.capabilities) console.log(`capability ${wanted}`);
