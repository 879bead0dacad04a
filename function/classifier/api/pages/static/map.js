// Draws a class activation map. The page imports it when it is first needed.

// Of matplotlib's colour map inferno, whose lightness rises evenly
const COLOURS = [
  [0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51], [249, 140, 10], [249, 201, 50],
  [252, 255, 164],
];
const MAP_SIDE = 224; // pixels: the map is smooth, so the browser may enlarge it
const CANVAS_SIDE = 1000; // pixels of the longer side

// The page's style lays the canvas over the photo, which has the same aspect ratio.
export function drawMap(image, { grid, box }, label) {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Where the model looked for ${label}: the bright parts of the photo`);
  const scale = Math.min(1, CANVAS_SIDE / Math.max(image.naturalWidth, image.naturalHeight));
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const context = canvas.getContext("2d");
  const seen = [box.x * scale, box.y * scale, box.width * scale, box.height * scale];
  context.fillStyle = "rgb(0 0 0 / 45%)"; // what the model did not get
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.clearRect(...seen);
  context.imageSmoothingQuality = "high";
  context.drawImage(colouredMap(grid), ...seen);
  return canvas;
}

// What speaks against the class is as invisible as what speaks neither for nor against it.
function colouredMap(grid) {
  const most = Math.max(...grid.flat(), 1e-9);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = MAP_SIDE;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(MAP_SIDE, MAP_SIDE);
  for (let y = 0, at = 0; y < MAP_SIDE; y += 1) {
    for (let x = 0; x < MAP_SIDE; x += 1, at += 4) {
      const share = Math.max(0, interpolated(grid, x, y) / most);
      pixels.data.set(colour(share), at);
      pixels.data[at + 3] = 255 * 0.85 * share ** 2;
    }
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// Between the centres of the cells: bilinear, with weights that leave no edges at the centres
function interpolated(grid, x, y) {
  const [top, bottom, down] = neighbours(y, grid.length);
  const [left, right, across] = neighbours(x, grid[0].length);
  const along = (row) => row[left] + across * (row[right] - row[left]);
  return along(grid[top]) + down * (along(grid[bottom]) - along(grid[top]));
}

// The cells on both sides of a pixel, and the weight of the second, 0 to 1 (smoothstep)
function neighbours(pixel, cells) {
  const place = Math.min(cells - 1, Math.max(0, ((pixel + 0.5) / MAP_SIDE) * cells - 0.5));
  const first = Math.floor(place);
  const way = place - first;
  return [first, Math.min(first + 1, cells - 1), way * way * (3 - 2 * way)];
}

function colour(share) {
  const place = share * (COLOURS.length - 1);
  const first = COLOURS[Math.floor(place)];
  const second = COLOURS[Math.ceil(place)];
  return first.map((value, channel) => value + (place % 1) * (second[channel] - value));
}
