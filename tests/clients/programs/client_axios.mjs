import { readFile } from "node:fs/promises";
import axios from "axios";

for (const path of process.argv.slice(2)) {
  const photo = new Blob([await readFile(path)]);
  try {
    const response = await axios.postForm("http://localhost:8000/", { file: photo });
    console.log(JSON.stringify(response.data));
  } catch (error) {
    console.log(JSON.stringify(error.response?.data ?? error.code));
  }
}
