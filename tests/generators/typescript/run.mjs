// node run.mjs URL PHOTO: prints, as JSON, what classify.ts gets.

import { readFile } from "node:fs/promises";
import { argv } from "node:process";
import { classifyBody, classifyForm } from "./classify.js";

const [url, path] = argv.slice(2);
const photo = new Blob([await readFile(path)], { type: "image/jpeg" });
const text = new Blob(["just text"], { type: "image/jpeg" });
const message = (error) => error.message;

console.log(
  JSON.stringify({
    one: await classifyForm(url, [photo]),
    several: await classifyForm(url, [photo, photo]),
    body: [await classifyBody(url, photo)],
    problem: await classifyForm(url, [text]).catch(message),
  }),
);
