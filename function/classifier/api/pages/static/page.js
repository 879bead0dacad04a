// Classifies photos when they are chosen, dropped, pasted or picked from the samples, one request for
// each. The server renders the results, as it does without scripts; this script puts each beside its
// photo.
"use strict";

// A photo beyond these limits is shrunk here. Lambda accepts requests of 6 MB, 4.5 MB before base64.
const MAX_BYTES = 4_000_000;

// Decoding takes 4 to 10 bytes of the service's memory per pixel; JPEG less, as it is decoded smaller.
const MAX_JPEG_PIXELS = 25_000_000;
const MAX_PIXELS = 3_000_000;

// A panorama of 16 to 1 is still 250 pixels high: the model sees its centred square, of 224 pixels.
const SHRUNK_PIXELS = 1_000_000;

const MAX_PARALLEL = 2;

const form = document.querySelector("form");
const status = document.querySelector("#status");
const results = document.querySelector("#results");
const service = new URL("./", document.baseURI);

const queue = []; // functions, one for each photo
let running = 0;
let shrinking = Promise.resolve(); // one photo at a time: each may take 4 bytes per pixel

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

// Returns the file itself if it is small, or if the browser cannot read it: the service may.
async function shrink(file) {
  const image = new Image();
  const address = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve; // now the size is known; drawing decodes
      image.onerror = reject;
      image.src = address;
    });
    const pixels = image.naturalWidth * image.naturalHeight;
    const limit = await isJpeg(file) ? MAX_JPEG_PIXELS : MAX_PIXELS;
    if (file.size <= MAX_BYTES && pixels <= limit) return file;
    const canvas = draw(image, Math.min(1, Math.sqrt(SHRUNK_PIXELS / pixels)));
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
    return blob || file;
  } catch {
    return file;
  } finally {
    URL.revokeObjectURL(address);
    image.removeAttribute("src"); // or Firefox keeps the pixels
  }
}

// A file's type follows from its name, and may be empty or wrong.
async function isJpeg(file) {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  return first === 0xff && second === 0xd8;
}

// Throws an error if the canvas does not show the image.
function draw(image, scale) {
  const canvas = document.createElement("canvas");
  const width = canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  const height = canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const isWhite = (...box) => context.getImageData(...box).data.every((value) => value > 250);
  context.fillStyle = "white"; // a JPEG has no transparency
  context.fillRect(0, 0, width, height);
  // Browsers that hide their fingerprint return noise instead of the pixels.
  if (!isWhite(0, 0, 1, 1)) throw new Error("no access to pixels");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, width, height);
  // An image beyond the browser's memory is not drawn.
  if (isWhite(0, 0, width, height)) throw new Error("blank");
  return canvas;
}

// Returns the status and the text of the response.
async function post(address, accept, name, upload) {
  try {
    await upload.slice(0, 1).arrayBuffer();
  } catch {
    throw new UserError("This file cannot be read. If it is a folder, choose the photos in it.");
  }
  const body = new FormData();
  body.append("file", upload, name);
  try {
    const response = await fetch(address, { method: "POST", body, headers: { Accept: accept } });
    return [response.status, await response.text()];
  } catch {
    throw new UserError("The service does not respond. Check your connection and try again.");
  }
}

async function classifyPhoto(name, upload) {
  const [code, text] = await post(service, "text/html", name, upload);
  const page = new DOMParser().parseFromString(text, "text/html");
  const answer = page.querySelector("#results .answer");
  if (!answer) throw new UserError(errorMessage(code));
  return document.adoptNode(answer);
}

// A gateway's own error pages are not shown.
function errorMessage(code) {
  if (code === 413) return "This photo is too large for the service. Save it as a smaller JPEG and try again.";
  if (code === 429 || code === 503) return "The service is busy. Try again in a moment.";
  return `The service failed (status ${code}). Try again in a moment.`;
}

// Showing a photo

function card(file) {
  const article = make("article");
  const figure = make("figure");
  const image = new Image();
  image.alt = "";
  const photo = make("div", "photo");
  photo.append(image);
  figure.append(photo);
  article.append(figure, make("h2", "", file.name), pendingAnswer());
  return article;
}

function preview(image, upload) {
  const address = URL.createObjectURL(upload);
  image.addEventListener("load", () => URL.revokeObjectURL(address));
  // The service reads formats that browsers cannot show.
  image.addEventListener("error", () => {
    const switches = image.closest("article").querySelectorAll(".look");
    for (const look of switches) look.hidden = true;
    image.replaceWith("No preview");
  });
  image.src = address;
}

function pendingAnswer() {
  const answer = make("div", "answer");
  answer.append(make("p", "wait"));
  return answer;
}

async function classify(name, upload, article) {
  article.setAttribute("aria-busy", "true");
  let answer;
  try {
    answer = await classifyPhoto(name, upload);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    answer = make("div", "answer");
    answer.append(make("p", "problem", error.message), button("again", "Try again", async () => {
      article.querySelector(".answer").replaceWith(pendingAnswer());
      setStatus(summary([await classify(name, upload, article)]), "quiet");
    }));
  }
  article.querySelector(".answer").replaceWith(answer);
  article.removeAttribute("aria-busy");
  offerToLook(name, upload, article);
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
    const article = articles[index];
    const shrunk = shrinking = shrinking.then(() => shrink(file));
    shrunk.then((upload) => preview(article.querySelector("img"), upload));
    queue.push(async () => resolve(await classify(file.name, await shrunk, article)));
  }));
  while (running < MAX_PARALLEL && queue.length) work();
  setStatus(summary(await Promise.all(done)), style);
}

async function work() {
  running += 1;
  while (queue.length) await queue.shift()();
  running -= 1;
}

// Showing where the model looked

// Results of a model without a map have no switch.
function offerToLook(name, upload, article) {
  const image = article.querySelector("figure img");
  const look = article.querySelector(".look");
  if (!look || !image) return;
  look.hidden = false;
  const input = look.querySelector("input");
  let map; // the promise of a canvas
  input.addEventListener("change", async () => {
    map ||= fetchMap(name, upload, article, image);
    try {
      (await map).hidden = !input.checked;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      map = undefined;
      input.checked = false;
      setStatus(error.message, "problem");
    }
  });
}

async function fetchMap(name, upload, article, image) {
  const [{ drawMap }, explanation] = await Promise.all([
    fetchMapScript(), fetchExplanation(name, upload), untilLoaded(image),
  ]);
  const canvas = drawMap(image, explanation, article.querySelector(".label").textContent);
  image.after(canvas);
  return canvas;
}

// A preview has no size before.
function untilLoaded(image) {
  return image.complete || new Promise((resolve) => {
    for (const end of ["load", "error"]) image.addEventListener(end, resolve);
  });
}

async function fetchMapScript() {
  try {
    return await import("./map.js");
  } catch {
    throw new UserError("The page is incomplete. Check your connection and load it again.");
  }
}

async function fetchExplanation(name, upload) {
  const [code, text] = await post(new URL("?explain=1&top_k=1", service), "application/json", name, upload);
  if (code !== 200) throw new UserError(errorMessage(code));
  return JSON.parse(text).explanation;
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
