// The program of a user: the types are generated from /openapi.json, the requests are openapi-fetch's.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Result = components["schemas"]["Result"];
type Problem = components["schemas"]["Problem"];

/** The results of the photos, sent as a form. Throws the detail of a problem. */
export async function classifyForm(url: string, photos: Blob[]): Promise<Result[]> {
  const { data, error } = await createClient<paths>({ baseUrl: url }).POST("/", {
    params: { query: { top_k: 3 } },
    body: { file: [] }, // the generator has no type for files: the serializer adds them
    bodySerializer: () => {
      const form = new FormData();
      for (const photo of photos) form.append("file", photo, "photo.jpg");
      return form;
    },
  });
  if (error) throw new Error(described(error));
  return Array.isArray(data) ? data : [data];
}

/** The result of a photo, sent as the body itself. Throws the detail of a problem. */
export async function classifyBody(url: string, photo: Blob): Promise<Result> {
  const { data, error } = await createClient<paths>({ baseUrl: url }).POST("/", {
    headers: { "Content-Type": "application/octet-stream" },
    body: "",
    bodySerializer: () => photo,
  });
  if (error) throw new Error(described(error));
  if (Array.isArray(data)) throw new Error("several results for one image");
  return data;
}

function described(problem: Problem): string {
  return `${problem.status} ${problem.type}: ${problem.detail}`;
}
