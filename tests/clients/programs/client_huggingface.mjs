import { readFile } from "node:fs/promises";
import { imageClassification } from "@huggingface/inference";

for (const path of process.argv.slice(2)) {
  const data = new Blob([await readFile(path)]);
  try {
    const labels = await imageClassification({ data, endpointUrl: "http://localhost:8000/" });
    console.log(JSON.stringify(labels));
  } catch (error) {
    console.log(JSON.stringify(error.httpResponse?.body ?? error.message));
  }
}
