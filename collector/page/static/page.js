// Keeps an open page current: the server draws, this module swaps what changed.

const link = document.getElementById("link");
const bars = document.getElementById("progress");
let drawing = false;
let again = false;

async function redraw() {
  if (drawing) {
    again = true;
    return;
  }
  drawing = true;
  try {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    const live = document.getElementById("live");
    const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    live.replaceChildren(...fresh.childNodes);
    if (focused) live.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    tellAges();
  } catch {
    // The next event, or the reconnection of the stream, asks again.
  } finally {
    drawing = false;
    if (again) {
      again = false;
      redraw();
    }
  }
}

function tellAges() {
  for (const time of document.querySelectorAll("time[data-age]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    if (!Number.isFinite(seconds) || seconds < 0) continue;
    time.title = time.dateTime;
    if (seconds < 90) time.textContent = `${Math.round(seconds)} s ago`;
    else if (seconds < 5400) time.textContent = `${Math.round(seconds / 60)} min ago`;
    else if (seconds < 129600) time.textContent = `${Math.round(seconds / 3600)} h ago`;
  }
}

function showProgress(list) {
  if (!bars) return;
  bars.replaceChildren(...list.map(({ label, done, total }) => {
    const row = document.createElement("label");
    const bar = document.createElement("progress");
    const text = document.createElement("span");
    bar.max = Math.max(total, 1);
    bar.value = done;
    text.textContent = `${label}: ${done} of ${total} frames`;
    row.append(text, bar);
    return row;
  }));
}

function refreshPanels() {
  for (const image of document.querySelectorAll("img[data-refresh]")) {
    if (image.dataset.loading) continue;
    image.dataset.loading = "yes";
    const url = new URL(image.getAttribute("src"), location.href);
    url.searchParams.set("at", Date.now());
    const next = new Image();
    next.onload = () => { image.src = next.src; delete image.dataset.loading; };
    next.onerror = () => { delete image.dataset.loading; };
    next.src = url;
  }
}

function say(text, state) {
  link.textContent = text;
  link.className = `link ${state}`;
}

const stream = new EventSource("/events");
let opened = false;
stream.addEventListener("open", () => {
  say("live", "on");
  if (opened) redraw();
  opened = true;
});
stream.addEventListener("error", () => say("connection lost, trying again", "off"));
stream.addEventListener("change", () => { redraw(); refreshPanels(); });
stream.addEventListener("progress", (event) => {
  showProgress(JSON.parse(event.data));
  refreshPanels();
});

tellAges();
setInterval(tellAges, 5000);
