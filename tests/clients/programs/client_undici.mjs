import { createReadStream } from "node:fs";
import { Client } from "undici";

const client = new Client("http://localhost:8000");
for (const path of process.argv.slice(2)) {
  const { body } = await client.request({
    path: "/",
    method: "POST",
    body: createReadStream(path),
  });
  console.log(await body.text());
}
await client.close();
