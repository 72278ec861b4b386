// The page of `ropewalk chat`. What it says and hears is described in wire.rs.
//
//   what you type ─► pending, kept until the chat has kept it ─► WebSocket ─► messages, by number ─► the log
//
// Nothing is lost: what was not acknowledged is sent again with its key, and what was missed is asked for by the last number
// seen. Nothing is doubled: a key counts once for the chat, and a number once for the page.
"use strict";

const LIMIT_BYTES = 16384;         // the chat's own limit of a message
const MOST_PENDING = 2000, MOST_PENDING_TEXT = 2e6;  // so much may wait to be sent: less than a tab may remember
const FIRST_SHOWN = 2000;          // so many messages of the past come by themselves
const MOST_SHOWN = 5000;           // older messages leave the page; "earlier" brings them back
const SAY_AGAIN = 3000;            // what could not be kept is said again after this
const FIRST_RETRY = 400, LAST_RETRY = 5000;
const PATIENCE = 10000;            // silence that is longer after a question means that the connection is dead
const SHORT_PATIENCE = 3000;       // the same after a sleep or a change of network, when it often is
const QUIET = 20000;               // after so long without a word the chat is asked whether it is there
const GROUP = 5 * 60 * 1000;       // messages of one person within this are shown under one name
const ONE_BY_ONE = 3;              // so many who come or go are told on a line each; of more, the last line tells all the others
const LOBBY = "lobby";

const $ = (id) => document.getElementById(id);
const element = (tag, className, text) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};
const bdi = (text) => element("bdi", "", text);
const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// ── What is remembered, as long as the tab; the name also for the next one ────────────────────────────────────────────

const kept = (store, key, value) => {
  try { return value === undefined ? store.getItem(key) : store.setItem(key, value); } catch { return null; }
};
let name = kept(sessionStorage, "chat name") || kept(localStorage, "chat name") || "";
let isRemembered = Boolean(name);  // nobody typed it here
let token = kept(sessionStorage, "chat token");
if (!token) kept(sessionStorage, "chat token", token = random());
let pending = JSON.parse(kept(sessionStorage, "chat pending") || "[]");
const draftOf = (room) => `chat draft ${room.toLowerCase()}`;
const savePending = () => kept(sessionStorage, "chat pending", JSON.stringify(pending.map(({ room, key, text }) => ({ room, key, text }))));

// ── The room that is shown ────────────────────────────────────────────────────────────────────────────────────────────

let room = null;        // {name, id, seen, first, isTold, here, people}; id once the chat has told it, isTold once its past is
let joins = 0;          // so many answers are awaited; only the last one tells of the room that is shown
const rooms = new Map();  // name → {people, last, read}

const wanted = () => {
  try { return decodeURIComponent(location.hash.slice(1)).trim().replace(/\s+/g, " ") || LOBBY; } catch { return LOBBY; }
};
const { compare } = new Intl.Collator(undefined, { numeric: true });
const same = (a, b) => a.normalize("NFKC").toLowerCase() === b.normalize("NFKC").toLowerCase();

function enter(wish) {
  if (room && same(room.name, wish)) return;
  room = { name: wish, id: null, seen: 0, first: Infinity, isTold: false, here: new Set(), people: 0 };
  last = null;
  $("messages").replaceChildren();
  $("earlier").hidden = $("newer").hidden = $("empty").hidden = true;
  $("typing").textContent = $("too-long").textContent = "";
  $("text").value = kept(sessionStorage, draftOf(wish)) || "";
  typers.clear();
  stick = true;
  pending.filter((message) => same(message.room, wish)).forEach(showPending);
  showRoom();
  showHere();
  if (isIn) join();
}

function join() {
  joins++;
  send({ type: "join", room: room.name, ...(room.isTold && { id: room.id, seen: room.seen }) });
}

// ── The connection ────────────────────────────────────────────────────────────────────────────────────────────────────

let socket = null, isIn = false, retries = 0, retryTimer = 0, deadline = 0, quiet = 0, retry = 0, cause = "";

const send = (message) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));

function state(kind, text) {
  $("state").dataset.state = kind;
  if ($("state").textContent !== text) $("state").textContent = text;
}

function connect() {
  clearTimeout(retryTimer);
  if (!name) return askName("");
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  if (!retries) state("wait", "connecting…");
  const own = socket = new WebSocket(url);
  expect(() => lose(own));
  own.onopen = () => send({ type: "hello", name, token });
  own.onmessage = (event) => own === socket && listen(JSON.parse(event.data));
  own.onclose = (event) => own === socket && (event.code === 4001 ? replaced() : lose(own, event.code === 1001 && "the chat was stopped"));
}

function listen(told) {
  clearTimeout(quiet);
  quiet = setTimeout(() => ask(), QUIET);
  clearTimeout(deadline);
  hear[told.type]?.(told);
}

/** Asks whether the chat is still there: a connection can be dead, after a sleep above all, and nobody says so. */
function ask(patience) {
  const own = socket;
  if (!isIn) return;
  send({ type: "ping" });
  expect(() => lose(own), patience);
}

/** Gives a connection up, and comes back after a while: longer each time, and not at the same moment as everybody else. */
function lose(own, why) {
  if (own !== socket) return;
  if (why || isIn || !cause) cause = why || "connection lost";
  leave();
  const delay = Math.min(LAST_RETRY, FIRST_RETRY * 1.7 ** retries++) * (.5 + Math.random());
  state("lost", navigator.onLine === false ? "no network – reconnecting when it is back…" : `${cause} – reconnecting…`);
  clearTimeout(retryTimer);
  retryTimer = setTimeout(connect, delay);
}

function leave(code) {
  const old = socket;
  socket = null;
  isIn = false;
  joins = 0;
  clearTimeout(deadline);
  clearTimeout(quiet);
  if (old) old.onclose = old.onmessage = old.onopen = null, old.close(code);
}

function replaced() {
  leave();
  state("lost", "you are here from another tab");
  if (!$("elsewhere").open) $("elsewhere").showModal();
}

/** Does something unless an answer comes in time. */
function expect(otherwise, patience = PATIENCE) {
  clearTimeout(deadline);
  deadline = setTimeout(otherwise, patience);
}

/** Sends what waits, in its order. */
function sendAll() {
  clearTimeout(retry);
  retry = 0;
  pending.forEach(sendPending);
}

function sendPending(message) {
  if (!isIn || retry) return;  // nothing overtakes what is to be sent again
  send({ type: "say", room: message.room, key: message.key, text: message.text });
  const own = socket;
  expect(() => lose(own));
}

const comeBack = () => {
  if (socket) ask(SHORT_PATIENCE);
  else if (name && !$("elsewhere").open && !$("hello").open) connect();
};
addEventListener("online", comeBack);
addEventListener("offline", () => ask(SHORT_PATIENCE));  // a chat on this machine is still there
addEventListener("pageshow", (event) => { if (event.persisted) comeBack(); });
addEventListener("visibilitychange", () => { if (!document.hidden) comeBack(), unread(0); });

// ── What the chat says ────────────────────────────────────────────────────────────────────────────────────────────────

const hear = {
  welcome(told) {
    isIn = true;
    retries = 0;
    name = told.name;
    for (const store of [sessionStorage, localStorage]) kept(store, "chat name", name);
    showMe();
    state("good", "connected");
    if ($("hello").open) $("hello").close();
    if (room) join(); else enter(wanted());
    sendAll();
  },

  refused({ what, why, key, again }) {
    if (what === "name" && again) {
      lose(socket, why.replace(/\.$/, ""));
    } else if (what === "name") {
      leave();
      state("wait", "not connected");
      askName(isRemembered ? `${why} Perhaps you are, in another tab.` : why);
    } else if (what === "room") {
      notice(why);
      if (--joins === 0 && !room.id) location.replace(`#${LOBBY}`);
    } else {
      const message = pending.find((message) => message.key === key);
      if (message && again) {
        notice(`${why} Trying again…`);
        retry ||= setTimeout(sendAll, SAY_AGAIN);
        return;
      }
      forget(key, (shown) => shown.classList.replace("pending", "failed"));
      notice(why);
    }
  },

  rooms({ all, rooms: changed, gone }) {
    const before = new Map(rooms);
    if (all) rooms.clear();
    for (const { name, people, last } of changed) rooms.set(name, { people, last, read: Math.min(before.get(name)?.read ?? last, last) });
    for (const name of gone) for (const known of rooms.keys()) if (same(known, name)) rooms.delete(known);
    showRooms();
  },

  room({ room: name, id, here, people }) {
    if (--joins) return;
    if (room.id && room.id !== id) {
      told("The chat began anew, without what was said before.");
      Object.assign(room, { seen: 0, first: Infinity, isTold: false });
    }
    Object.assign(room, { name, id, here: new Set(here), people });
    showRoom();
    showHere();
  },

  history({ room: name, messages, more, earlier, gap }) {
    if (joins || room.name !== name) return;
    softly();
    if (room.first !== Infinity && messages.at(-1)?.seq < room.first) {
      if (messages.at(-1).seq === room.first - 1) showEarlier(messages, earlier);
    } else {
      if (gap && room.first !== Infinity) told("Some messages in between are not kept any more.");
      if (!room.isTold) $("earlier").hidden = !earlier;
      messages.filter(({ seq }) => seq > room.seen).forEach(show);
      room.isTold = true;
    }
    $("empty").hidden = $("messages").childElementCount > 0;
    if (more) send({ type: "more", seen: room.seen });
    else if (room.seen - room.first < FIRST_SHOWN) askEarlier();
  },

  message(told) {
    if (joins || room.name !== told.room || told.seq <= room.seen) return;
    if (told.seq > room.seen + 1 && room.seen > 0) return join();  // some were lost on the way: get them, in order
    show(told);
    if (document.hidden && told.name !== name) unread(unseen + 1);
  },

  ack({ key }) {
    forget(key, (shown) => shown.remove());
  },

  joined({ room: where, name: who }) {
    if (joins || room.name !== where || room.here.has(who)) return;
    room.here.add(who);
    room.people++;
    if (room.people < 50) cameOrWent(who, "joined");
    showHere();
  },

  left({ room: where, name: who }) {
    if (joins || room.name !== where) return;
    if (!room.here.delete(who) && room.people <= room.here.size) return;  // not all of many are known by name
    room.people--;
    if (typers.delete(who)) showTyping();
    if (room.people < 50) cameOrWent(who, "left");
    showHere();
  },

  slow() {
    notice("You send more than the chat passes on at once. It is read more slowly for a while; nothing is lost.");
  },

  typing({ room: where, name: who }) {
    if (!joins && room.name === where) typers.set(who, performance.now() + 5000), showTyping();
  },
};

// ── Saying something ──────────────────────────────────────────────────────────────────────────────────────────────────

function say(text) {
  const bytes = new TextEncoder().encode(text).length;
  const problem = bytes > LIMIT_BYTES ? `This is too long: ${bytes} bytes of ${LIMIT_BYTES} at most.`
    : pending.length >= MOST_PENDING || pending.reduce((sum, { text }) => sum + text.length, text.length) > MOST_PENDING_TEXT ? `Too much waits to be sent: wait ${isIn ? "a moment" : "until you are connected"}.` : "";
  $("too-long").textContent = problem;
  if (problem) return false;
  const message = { room: room.name, key: random(), text };
  pending.push(message);
  savePending();
  stick = true;
  showPending(message);
  sendPending(message);
  return true;
}

function forget(key, change) {
  const shown = document.getElementById(`key-${key}`);
  if (shown) change(shown), shown.removeAttribute("id");
  const before = pending.length;
  pending = pending.filter((message) => message.key !== key);
  if (pending.length !== before) savePending();
}

let typed = -Infinity;
const saveDraft = () => room && kept(sessionStorage, draftOf(room.name), $("text").value);
$("text").addEventListener("input", () => {
  saveDraft();
  $("too-long").textContent = "";
  if ($("text").value && performance.now() - typed > 3000) typed = performance.now(), send({ type: "typing" });
});
$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text && room && say(text)) $("text").value = "", saveDraft(), typed = -Infinity;
  $("text").focus();
});

// ── Showing ───────────────────────────────────────────────────────────────────────────────────────────────────────────

let stick = true, unseen = 0, last = null;
const typers = new Map();

const hue = (name) => {
  let sum = 7;
  for (const char of name.toLowerCase()) sum = (sum * 31 + char.codePointAt(0)) % 9973;
  return `h${sum % 12}`;
};
const letters = new Intl.Segmenter();
const face = (made, name) => {
  made.className = `face ${hue(name)}`;
  made.textContent = [...letters.segment(name)][0].segment.toUpperCase();
  made.setAttribute("aria-hidden", "true");
  return made;
};
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const day = (at) => calendar.format(at);

/** The text, with links that lead out safely. */
function linked(text) {
  const shown = element("p", "text");
  shown.dir = "auto";
  let end = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]]/g)) {
    const link = element("a", "", match[0]);
    link.href = match[0];
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    shown.append(text.slice(end, match.index), link);
    end = match.index + match[0].length;
  }
  shown.append(text.slice(end));
  return shown;
}

/** A message as an item of the list; `before` is the message above it. */
function item(message, before) {
  const isFirst = !before || before.name !== message.name || message.at - before.at > GROUP || day(before.at) !== day(message.at);
  const shown = element("li", `message ${hue(message.name)}${isFirst ? " first" : ""}${message.name === name ? " mine" : ""}`);
  if (message.seq) shown.dataset.seq = message.seq;
  const body = element("div");
  if (isFirst) {
    const who = element("p", "who"), author = element("b"), time = element("time", "", clock.format(message.at));
    author.append(bdi(message.name));
    time.dateTime = new Date(message.at).toISOString();
    who.append(author, time);
    shown.append(face(element("span"), message.name));
    body.append(who);
  }
  body.append(linked(message.text));
  shown.append(body);
  return shown;
}

const firstPending = () => $("messages").querySelector(".pending");
const lastShown = () => {
  const mark = firstPending();
  return mark ? mark.previousElementSibling : $("messages").lastElementChild;
};

/** Adds what comes now without a screen reader reading all of it out: it is of the past. */
let softening = 0;
function softly() {
  $("log").setAttribute("aria-live", "off");
  clearTimeout(softening);
  softening = setTimeout(() => $("log").removeAttribute("aria-live"), 1000);
}

/** Adds a new message, above what is not sent yet. */
function show(message) {
  const above = lastShown()?.classList.contains("message") ? last : null;
  if (message.key) forget(message.key, (shown) => shown.remove());
  if (!last || day(last.at) !== day(message.at)) add(element("li", "day", day(message.at)));
  add(item(message, above));
  last = message;
  room.seen = message.seq;
  if (room.first === Infinity) room.first = message.seq;
  const known = [...rooms].find(([known]) => same(known, room.name));
  if (known) known[1].read = Math.max(known[1].read, message.seq);
  if (typers.delete(message.name)) showTyping();
  $("empty").hidden = true;
  if (!stick && message.name !== name) $("newer").hidden = false;
  const count = $("messages").childElementCount;
  if (count > MOST_SHOWN && (stick || count > 3 * MOST_SHOWN)) dropOldest();  // not what somebody reads
}

function add(shown) {
  $("messages").insertBefore(shown, firstPending());
  follow();
}

function told(...parts) {
  const line = element("li", "told");
  line.append(...parts);
  add(line);
  return line;
}

/** Tells who came or went: a crowd in few lines. */
let crowd = null;
function cameOrWent(who, what) {
  if (crowd?.what !== what || crowd.line !== lastShown()) crowd = { what, lines: 0, names: [] };
  if (crowd.lines < ONE_BY_ONE) {
    crowd.lines++;
    crowd.names = [who];
    crowd.line = told(bdi(who), ` ${what}`);
  } else {
    crowd.names.push(who);
    const more = crowd.names.length - 5;
    const names = crowd.names.slice(0, 5).flatMap((name, number) => [number ? ", " : "", bdi(name)]);
    crowd.line.replaceChildren(...names, `${more > 0 ? ` and ${more} more` : ""} ${what}`);
    follow();
  }
}

function showPending(message) {
  const now = { ...message, name, at: Date.now() };
  const shown = item(now, $("messages").lastElementChild?.classList.contains("pending") ? now : null);
  shown.classList.add("pending");
  shown.id = `key-${message.key}`;
  $("messages").append(shown);
  $("empty").hidden = true;
  follow();
}

function showEarlier(messages, earlier) {
  const list = document.createDocumentFragment(), top = $("messages").firstElementChild;
  let before = null;
  for (const message of messages) {
    if (!before || day(before.at) !== day(message.at)) list.append(element("li", "day", day(message.at)));
    list.append(item(message, before));
    before = message;
  }
  room.first = messages[0].seq;
  const { scrollHeight, scrollTop } = $("scroller");
  if (top?.className === "day" && top.textContent === day(before.at)) top.remove();
  $("messages").prepend(list);
  $("earlier").hidden = !earlier;
  $("scroller").scrollTop = scrollTop + $("scroller").scrollHeight - scrollHeight;
}

function askEarlier() {
  if (!$("earlier").hidden) send({ type: "earlier", before: room.first });
}

function dropOldest() {
  while ($("messages").childElementCount > MOST_SHOWN - 500) $("messages").firstElementChild.remove();
  room.first = Number($("messages").querySelector("[data-seq]")?.dataset.seq ?? room.first);
  $("earlier").hidden = false;
}

let following = 0;
function follow() {
  if (stick && !following) following = setTimeout(() => { following = 0; $("scroller").scrollTop = $("scroller").scrollHeight; });
}
$("scroller").addEventListener("scroll", () => {
  const { scrollHeight, scrollTop, clientHeight } = $("scroller");
  stick = scrollHeight - scrollTop - clientHeight < 60;
  if (stick) $("newer").hidden = true;
}, { passive: true });
new ResizeObserver(() => follow()).observe($("scroller"));
$("newer").addEventListener("click", () => { stick = true; $("newer").hidden = true; follow(); $("text").focus(); });
$("earlier").addEventListener("click", askEarlier);
new IntersectionObserver(([seen]) => { if (seen.isIntersecting) askEarlier(); }, { root: $("scroller"), rootMargin: "400px" }).observe($("earlier"));

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
