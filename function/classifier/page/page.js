// Sends the form without leaving the page. The server renders the results, as it does when
// scripts are off; this only puts them in place.
"use strict";

const form = document.querySelector("form");
const input = document.querySelector("#file");
const button = form.querySelector("button");
const status = document.querySelector("#status");
const previews = document.querySelector("#previews");

document.querySelector("#address").textContent = new URL("./", location.href).href;

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
    const body = new FormData(form);
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
