// Classifies photos as they are chosen, dropped, pasted or picked from the samples, one request
// for each. The server renders the answers, as it does when scripts are off: this only gives each
// its place beside its photo.
"use strict";

// Lambda takes requests of 6 MB, and base64 makes 6 of 4.5: what is larger is made smaller here.
const MAX_BYTES = 4_000_000;
const MAX_SIDE = 1024;

// Decoders of these take 13 to 17 bytes a pixel, so the service takes no more of them than this.
const HEAVY = /^image\/(webp|avif|hei[cf])$/;
const MAX_HEAVY_PIXELS = 3_000_000;
const AT_ONCE = 2;

const form = document.querySelector("form");
const status = document.querySelector("#status");
const results = document.querySelector("#results");
const service = new URL("./", document.baseURI);

const waiting = []; // functions that classify one photo each
let running = 0;

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function button(className, text, onclick) {
  const made = make("button", className, text);
  made.type = "button";
  made.addEventListener("click", onclick);
  return made;
}

function say(text, className) {
  status.className = className;
  status.textContent = text;
}

// A photo's way to its answer

class Trouble extends Error {} // its message is for the person who sent the photo

async function fit(file) {
  const heavy = HEAVY.test(file.type);
  if (file.size <= MAX_BYTES && !heavy) return file;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file; // a format that the browser cannot read; the server may
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

async function ask(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Trouble("This file cannot be read. If it is a folder, choose the photos in it.");
  }
  const body = new FormData();
  body.append("file", await fit(file), file.name);
  let response;
  try {
    response = await fetch(service, { method: "POST", body, headers: { Accept: "text/html" } });
  } catch {
    throw new Trouble("The service does not answer. Check your connection and try again.");
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const answer = page.querySelector("#results .answer");
  if (!answer) throw new Trouble(withoutAnswer(response.status));
  return document.adoptNode(answer);
}

// What a gateway says in the service's place is not for people.
function withoutAnswer(code) {
  if (code === 413) return "This photo is too large for the service. Make it smaller and try again.";
  if (code === 429 || code === 503) return "The service is busy. Try again in a moment.";
  return `The service could not answer (status ${code}). Try again in a moment.`;
}

// What is seen of it

function photo(file) {
  const figure = make("figure");
  const image = new Image();
  image.alt = "";
  const address = URL.createObjectURL(file);
  image.addEventListener("load", () => URL.revokeObjectURL(address));
  // Not every format that the service reads is one that the browser shows.
  image.addEventListener("error", () => image.replaceWith("No preview"));
  image.src = address;
  figure.append(image);
  return figure;
}

function card(file) {
  const article = make("article");
  article.append(photo(file), make("h2", "", file.name), waitingAnswer());
  return article;
}

function waitingAnswer() {
  const answer = make("div", "answer");
  answer.append(make("p", "wait"));
  return answer;
}

async function classify(file, article) {
  article.setAttribute("aria-busy", "true");
  let answer;
  try {
    answer = await ask(file);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    answer = make("div", "answer");
    answer.append(make("p", "problem", error.message), button("again", "Try again", async () => {
      article.querySelector(".answer").replaceWith(waitingAnswer());
      say(summary([await classify(file, article)]), "quiet");
    }));
  }
  article.querySelector(".answer").replaceWith(answer);
  article.removeAttribute("aria-busy");
  return article;
}

function summary(articles) {
  if (articles.length > 1) {
    const bad = articles.filter((each) => each.querySelector(".problem")).length;
    return `${articles.length - bad} photos classified${bad ? `, ${bad} with a problem` : ""}.`;
  }
  const [name, text] = ["h2", ".problem, li"].map((each) => articles[0].querySelector(each).textContent);
  return `${name}: ${text}`;
}

async function classifyAll(files) {
  if (!files.length) return;
  const loudness = files.length > 1 ? "" : "quiet"; // a single answer is seen where it is
  say(files.length > 1 ? `Classifying ${files.length} photos …` : "Classifying …", loudness);
  const articles = files.map(card);
  results.prepend(...articles);
  results.scrollIntoView({ block: "nearest" });
  const done = files.map((file, index) => new Promise((resolve) => {
    waiting.push(async () => resolve(await classify(file, articles[index])));
  }));
  while (running < AT_ONCE && waiting.length) work();
  say(summary(await Promise.all(done)), loudness);
}

async function work() {
  running += 1;
  while (waiting.length) await waiting.shift()();
  running -= 1;
}

// The ways in

for (const input of document.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    const files = Array.from(input.files);
    input.value = ""; // or the same photo could not be chosen again
    classifyAll(files);
  });
}

addEventListener("dragover", (event) => {
  event.preventDefault(); // or the browser would open the file in this page's place
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
  else say("That was not a file. Save the picture first, then drop its file here.", "problem");
});

addEventListener("paste", (event) => classifyAll(Array.from(event.clipboardData.files)));

for (const sample of document.querySelectorAll("[data-sample]")) {
  sample.addEventListener("click", async () => {
    try {
      const response = await fetch(sample.dataset.sample, { cache: "force-cache" }); // it is on the page
      const name = sample.dataset.sample.split("/").pop();
      classifyAll([new File([await response.blob()], name, { type: "image/jpeg" })]);
    } catch {
      say("The sample cannot be fetched. Check your connection and try again.", "problem");
    }
  });
}

// The page, now that it can do all this

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
for (const each of document.querySelectorAll("[data-script]")) each.hidden = false;
