// Sends the form without leaving the page. The server renders the results, as it does when
// scripts are off; this only puts them in place.
"use strict";

const form = document.querySelector("form");
const input = document.querySelector("#file");
const button = form.querySelector("button");
const status = document.querySelector("#status");
const previews = document.querySelector("#previews");

document.querySelector("#address").textContent = new URL("./", location.href).href;

// Lambda takes requests of 6 MB, and base64 makes 6 of 4.5: what is larger is made smaller here.
const MAX_REQUEST_BYTES = 4_000_000;
const MAX_SIDE = 1024;

async function fit(file, bytes) {
  if (file.size <= bytes) return file;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file; // a format that the browser cannot read; the server may
  }
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // a JPEG has no transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
  return blob && blob.size < file.size ? blob : file;
}

async function requestBody(files) {
  const body = new FormData();
  for (const file of files) body.append("file", await fit(file, MAX_REQUEST_BYTES / files.length), file.name);
  return body;
}

function preview() {
  for (const image of previews.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  previews.replaceChildren(...Array.from(input.files, (file) => {
    const image = new Image();
    image.alt = "";
    // Not every format that the service reads is one that the browser shows.
    image.addEventListener("error", () => image.remove());
    image.src = URL.createObjectURL(file);
    return image;
  }));
}

async function classify(event) {
  event.preventDefault();
  button.disabled = true;
  status.textContent = "Classifying …";
  try {
    const body = await requestBody(Array.from(input.files));
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const results = page.querySelector("#results");
    if (!results) throw new Error(`the server answered with status ${response.status}`);
    document.querySelector("#results").replaceWith(document.adoptNode(results));
    status.textContent = "";
  } catch (error) {
    status.textContent = `No answer (${error.message}). Check that the service runs, and try again.`;
  } finally {
    button.disabled = false;
  }
}

input.addEventListener("change", preview);
form.addEventListener("submit", classify);
