// What pages gain where scripts run; all of them work without.
"use strict";

// Exact times in the reader's own zone.
function times(root) {
  for (const t of root.querySelectorAll("time[datetime]")) {
    t.title = new Date(t.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  }
}

// Copy buttons.
for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const label = button.innerHTML;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.innerHTML = label; }, 1500);
  });
}

// How many messages are ticked; one tick box for all of a page, and ranges with
// the shift key.
for (const form of document.querySelectorAll("form.select")) {
  const boxes = [...form.querySelectorAll("input[type=checkbox][name=id]")];
  const head = form.querySelector("th.tick");
  const told = form.querySelector("#selected");
  if (!boxes.length || !head) continue;
  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", "Select all on this page");
  head.replaceChildren(all);
  let last = -1;
  const tell = () => {
    const n = boxes.filter((b) => b.checked).length;
    told.textContent = n ? n + " selected" : "";
    all.checked = n === boxes.length;
    all.indeterminate = n > 0 && n < boxes.length;
  };
  all.addEventListener("change", () => { for (const b of boxes) b.checked = all.checked; tell(); });
  boxes.forEach((box, i) => box.addEventListener("click", (e) => {
    if (e.shiftKey && last >= 0) {
      for (let k = Math.min(i, last); k <= Math.max(i, last); k++) boxes[k].checked = box.checked;
    }
    last = i;
    tell();
  }));
  tell();
}

// Live numbers: the page is asked for again now and then, and the parts that say
// so take the new content, unless somebody is at work in them. Pages are still
// where each look is written down.
const live = document.querySelectorAll("[data-live]");
async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: { "Restante-Live": "1" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of live) {
    const fresh = page.getElementById(old.id);
    if (!fresh || old.contains(document.activeElement) || old.innerHTML === fresh.innerHTML) continue;
    old.replaceChildren(...fresh.childNodes);
    times(old);
  }
}
times(document);
if (document.querySelector("main:not([data-still]) [data-live]")) {
  setInterval(() => refresh().catch(() => {}), 5000);
}
