import { createReadStream } from "node:fs";
import axios from "axios";

for (const path of process.argv.slice(2)) {
  try {
    const form = { file: createReadStream(path) };
    const response = await axios.postForm("http://localhost:8000/", form);
    console.log(JSON.stringify(response.data));
  } catch (error) {
    console.log(JSON.stringify(error.response?.data ?? error.message));
  }
}
