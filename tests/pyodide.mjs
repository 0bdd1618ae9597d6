// Runs Python code in Pyodide, in Node: node pyodide.mjs MODULE CODE [AT=FOLDER ...]; folders are mounted, code is a file.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [module, code, ...folders] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(module));
const python = await loadPyodide();
for (const pair of folders) {
  const [at, root] = pair.split("=");
  python.FS.mkdirTree(at);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, at);
}
try {
  await python.runPythonAsync(readFileSync(code, "utf8"));
} catch (error) {
  console.error(String(error).slice(-2000)); // at its end, the Python error
  process.exitCode = 1;
}
