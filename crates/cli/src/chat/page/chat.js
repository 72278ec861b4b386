// The page of `ropewalk chat`. What it says and hears is described in wire.rs.
//
//   what you type ─► pending, kept until the chat has kept it ─► WebSocket ─► messages, by number ─► the log
//
// Nothing is lost: what was not acknowledged is sent again with its key, and what was missed is asked for by the last number
// seen. Nothing is doubled: a key counts once for the chat, and a number once for the page.
//
// Here are the room and the connection; messages.js has what is said and shown, lists.js what is around it, and begins.
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
