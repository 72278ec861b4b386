// The middle of the page: what is said, and the log of messages.
"use strict";

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
