import { createReadStream } from "node:fs";
import { request } from "undici";

for (const path of process.argv.slice(2)) {
  const { body } = await request("http://localhost:8000/", {
    method: "POST",
    body: createReadStream(path),
  });
  console.log(await body.text());
}
