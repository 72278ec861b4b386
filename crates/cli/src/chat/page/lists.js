// What is around the messages: rooms, people, who types, notices, dialogs, and the address.
"use strict";

// ── Rooms and people ─────────────────────────────────────────────────────────────────────────────────────────────────────

function showRoom() {
  $("room").textContent = `# ${room.name}`;
  document.title = `${unseen ? `(${unseen}) ` : ""}${room.name} – Ropewalk chat`;
  showRooms();
}

function unread(count) {
  unseen = count;
  if (room) showRoom();
}

function showRooms() {
  const list = $("rooms"), order = [...rooms].sort(([a], [b]) => (b === LOBBY) - (a === LOBBY) || compare(a, b));
  const old = new Map([...list.children].map((shown) => [shown.dataset.room, shown]));
  let hasUnread = false, next = list.firstElementChild;
  for (const [name, { people, last, read }] of order) {
    const isHere = room && same(room.name, name), isUnread = !isHere && last > read;
    hasUnread ||= isUnread;
    const shown = old.get(name) ?? roomItem(name);
    old.delete(name);
    const link = shown.firstElementChild;
    link.classList.toggle("unread", isUnread);
    isHere ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    link.querySelector(".people").textContent = people;
    link.querySelector(".dot").hidden = !isUnread;
    if (shown === next) next = next.nextElementSibling; else list.insertBefore(shown, next);
  }
  old.forEach((shown) => shown.remove());
  $("unread-elsewhere").hidden = !hasUnread;
}

function roomItem(name) {
  const shown = element("li"), link = element("a"), dot = element("span", "dot"), people = element("span", "people");
  shown.dataset.room = name;
  link.href = `#${encodeURIComponent(name)}`;
  dot.append(element("span", "unseen", "new messages"));
  link.append(bdi(name), dot, people, element("span", "unseen", "people"));
  shown.append(link);
  return shown;
}

let showing = 0;
function showHere() {
  showing ||= setTimeout(() => {
    showing = 0;
    const names = [...room.here].sort(compare);
    $("here").replaceChildren(...names.map((who) => {
      const shown = element("li");
      shown.append(face(element("span"), who), bdi(who));
      if (who === name) shown.append(element("span", "people", "(you)"));
      return shown;
    }));
    if (room.people > names.length) $("here").append(element("li", "", `and ${room.people - names.length} more`));
    $("count").textContent = room.people;
  }, 50);
}

function showTyping() {
  const now = performance.now();
  for (const [who, until] of typers) if (until <= now) typers.delete(who);
  const names = [...typers.keys()].map((name) => `\u2068${name}\u2069`);  // whatever its direction
  $("typing").textContent = names.length === 0 ? "" : names.length === 1 ? `${names[0]} is typing…`
    : names.length < 4 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)} are typing…` : "Several people are typing…";
}
setInterval(() => typers.size && showTyping(), 1000);

let noticeTimer = 0;
function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => $("notice").hidden = true, 8000);
}

function showMe() {
  $("my-name").firstElementChild.textContent = name;
  face($("my-face"), name || "?");
}

// ── Dialogs, drawers and the address ──────────────────────────────────────────────────────────────────────────────────

function askName(problem) {
  $("name-problem").textContent = problem;
  $("name").value = name;
  if (!$("hello").open) $("hello").showModal();
  $("name").select();
}
$("hello").addEventListener("cancel", (event) => { if (!isIn) event.preventDefault(); });
$("hello-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const wish = $("name").value.trim();
  if (!wish) return;
  if (isIn && wish === name) return $("hello").close();
  name = wish;
  isRemembered = false;
  leave(1000);
  retries = 0;
  connect();
});
$("hello").addEventListener("close", () => isIn || socket ? $("text").focus() : askName(""));
$("rename").addEventListener("click", () => { closeDrawers(); askName(""); });
$("elsewhere").addEventListener("close", () => { retries = 0; connect(); });

$("open-room").addEventListener("submit", (event) => {
  event.preventDefault();
  const wish = $("new-room").value.trim().replace(/^#/, "");
  if (!wish) return;
  $("new-room").value = "";
  location.hash = encodeURIComponent(wish);
});
addEventListener("hashchange", () => {
  closeDrawers();
  enter(wanted());
  $("text").focus();
});

const drawers = { side: ["side-open", $("open-side")], people: ["people-open", $("open-people")] };
function openDrawer(id) {
  const [className, button] = drawers[id];
  document.body.classList.add(className);
  button.setAttribute("aria-expanded", "true");
  $("shade").hidden = false;
  document.querySelector("main").inert = true;
  $(`close-${id}`).focus();
}
function closeDrawers() {
  document.querySelector("main").inert = false;
  for (const [className, button] of Object.values(drawers)) {
    if (!document.body.classList.contains(className)) continue;
    document.body.classList.remove(className);
    button.setAttribute("aria-expanded", "false");
    button.focus();
  }
  $("shade").hidden = true;
}
for (const id of Object.keys(drawers)) {
  drawers[id][1].addEventListener("click", () => openDrawer(id));
  $(`close-${id}`).addEventListener("click", closeDrawers);
}
$("shade").addEventListener("click", closeDrawers);
addEventListener("keydown", (event) => { if (event.key === "Escape") closeDrawers(); });

showMe();
enter(wanted());
connect();
