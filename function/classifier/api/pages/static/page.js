// Classifies photos when they are chosen, dropped, pasted or picked from the samples, one request for
// each. The server renders the results, as it does without scripts; this script puts each beside its
// photo.
"use strict";

// Lambda accepts requests of 6 MB, 4.5 MB before base64: larger photos are shrunk here.
const MAX_BYTES = 4_000_000;
const MAX_SIDE = 1024;

// Decoding these takes 13 to 17 bytes per pixel, and the service limits the memory.
const HEAVY = /^image\/(webp|avif|hei[cf])$/;
const MAX_HEAVY_PIXELS = 3_000_000;
const MAX_PARALLEL = 2;

const form = document.querySelector("form");
const status = document.querySelector("#status");
const results = document.querySelector("#results");
const service = new URL("./", document.baseURI);

const queue = []; // functions, one for each photo
let running = 0;

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function button(className, text, onclick) {
  const element = make("button", className, text);
  element.type = "button";
  element.addEventListener("click", onclick);
  return element;
}

function setStatus(text, className) {
  status.className = className;
  status.textContent = text;
}

// Sending a photo

class UserError extends Error {} // its message is shown on the page

async function shrink(file) {
  const heavy = HEAVY.test(file.type);
  if (file.size <= MAX_BYTES && !heavy) return file;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file; // the browser cannot read the format; the server may
  }
  if (file.size <= MAX_BYTES && bitmap.width * bitmap.height <= MAX_HEAVY_PIXELS) {
    bitmap.close();
    return file;
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
  return blob && (heavy || blob.size < file.size) ? blob : file;
}

async function classifyPhoto(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new UserError("This file cannot be read. If it is a folder, choose the photos in it.");
  }
  const body = new FormData();
  body.append("file", await shrink(file), file.name);
  let response;
  try {
    response = await fetch(service, { method: "POST", body, headers: { Accept: "text/html" } });
  } catch {
    throw new UserError("The service does not respond. Check your connection and try again.");
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const answer = page.querySelector("#results .answer");
  if (!answer) throw new UserError(errorMessage(response.status));
  return document.adoptNode(answer);
}

// A gateway's own error pages are not shown.
function errorMessage(code) {
  if (code === 413) return "This photo is too large for the service. Make it smaller and try again.";
  if (code === 429 || code === 503) return "The service is busy. Try again in a moment.";
  return `The service failed (status ${code}). Try again in a moment.`;
}

// Showing a photo

function photo(file) {
  const figure = make("figure");
  const image = new Image();
  image.alt = "";
  const address = URL.createObjectURL(file);
  image.addEventListener("load", () => URL.revokeObjectURL(address));
  // The service reads formats that browsers cannot show.
  image.addEventListener("error", () => image.replaceWith("No preview"));
  image.src = address;
  figure.append(image);
  return figure;
}

function card(file) {
  const article = make("article");
  article.append(photo(file), make("h2", "", file.name), pendingAnswer());
  return article;
}

function pendingAnswer() {
  const answer = make("div", "answer");
  answer.append(make("p", "wait"));
  return answer;
}

async function classify(file, article) {
  article.setAttribute("aria-busy", "true");
  let answer;
  try {
    answer = await classifyPhoto(file);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    answer = make("div", "answer");
    answer.append(make("p", "problem", error.message), button("again", "Try again", async () => {
      article.querySelector(".answer").replaceWith(pendingAnswer());
      setStatus(summary([await classify(file, article)]), "quiet");
    }));
  }
  article.querySelector(".answer").replaceWith(answer);
  article.removeAttribute("aria-busy");
  return article;
}

function summary(articles) {
  if (articles.length > 1) {
    const bad = articles.filter((article) => article.querySelector(".problem")).length;
    return `${articles.length - bad} photos classified${bad ? `, ${bad} with a problem` : ""}.`;
  }
  const [name, text] = ["h2", ".problem, li"].map((selector) => articles[0].querySelector(selector).textContent);
  return `${name}: ${text}`;
}

async function classifyAll(files) {
  if (!files.length) return;
  const style = files.length > 1 ? "" : "quiet"; // a single result needs no announcement
  setStatus(files.length > 1 ? `Classifying ${files.length} photos …` : "Classifying …", style);
  const articles = files.map(card);
  results.prepend(...articles);
  results.scrollIntoView({ block: "nearest" });
  const done = files.map((file, index) => new Promise((resolve) => {
    queue.push(async () => resolve(await classify(file, articles[index])));
  }));
  while (running < MAX_PARALLEL && queue.length) work();
  setStatus(summary(await Promise.all(done)), style);
}

async function work() {
  running += 1;
  while (queue.length) await queue.shift()();
  running -= 1;
}

// Choosing photos

for (const input of document.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    const files = Array.from(input.files);
    input.value = ""; // so that the same photo can be chosen again
    classifyAll(files);
  });
}

addEventListener("dragover", (event) => {
  event.preventDefault(); // otherwise the browser opens the file
  document.body.classList.add("dragging");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const files = Array.from(event.dataTransfer.files);
  if (files.length) classifyAll(files);
  else setStatus("That was not a file. Save the picture first, then drop its file here.", "problem");
});

addEventListener("paste", (event) => classifyAll(Array.from(event.clipboardData.files)));

for (const sample of document.querySelectorAll("[data-sample]")) {
  sample.addEventListener("click", async () => {
    try {
      const response = await fetch(sample.dataset.sample, { cache: "force-cache" }); // it is on the page
      const name = sample.dataset.sample.split("/").pop();
      classifyAll([new File([await response.blob()], name, { type: "image/jpeg" })]);
    } catch {
      setStatus("The sample cannot be fetched. Check your connection and try again.", "problem");
    }
  });
}

// Controls that need scripts

document.querySelector("#address").textContent = service.href;
if (navigator.clipboard) {
  const copy = button("copy", "Copy", async () => {
    await navigator.clipboard.writeText(document.querySelector("pre").textContent);
    copy.textContent = "Copied";
  });
  document.querySelector("pre").after(copy);
}
form.classList.add("live");
form.querySelector("[type=submit]").hidden = true;
for (const element of document.querySelectorAll("[data-script]")) element.hidden = false;
