import { readFile } from "node:fs/promises";

for (const path of process.argv.slice(2)) {
  const form = new FormData();
  form.append("file", new Blob([await readFile(path)]), path);
  const response = await fetch("http://localhost:8000/", { method: "POST", body: form });
  console.log(await response.text());
}
