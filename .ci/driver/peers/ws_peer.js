// Node's `ws` as a peer: `serve`, which prints a port per kind of compression, or `visit URL`, which checks an echo server.
"use strict";
const assert = require("assert");
const { WebSocket, WebSocketServer } = require("ws");

const CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
const SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20];
const KINDS = [false, true];
// With `false` in the place of nothing it would refuse all who offer it.
for (const [noTakeover, serverMaxWindowBits, clientMaxWindowBits] of [[true, 9, 9], [undefined, 15, 9], [true, 9, 15], [undefined, 12, 12]])
  KINDS.push({ serverNoContextTakeover: noTakeover, clientNoContextTakeover: noTakeover, serverMaxWindowBits, clientMaxWindowBits, threshold: 0 });

const once = (emitter, event) => new Promise((resolve, reject) => {
  const late = setTimeout(() => reject(new Error(`no ${event} in 10 s`)), 10000);
  emitter.once(event, (...given) => { clearTimeout(late); resolve(given); });
});

function serve() {
  for (const perMessageDeflate of KINDS) {
    const verifyClient = ({ req }, done) => req.url === "/no" ? done(false, 401, "no way\n") : done(true);
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate, maxPayload: 0, verifyClient });
    server.on("listening", () => console.log("listening", server.address().port));
    server.on("connection", (socket, request) => {
      if (request.url.startsWith("/close/")) return socket.close(Number(request.url.slice(7)), "as asked");
      if (request.url === "/cut") return socket.terminate();
      socket.on("message", (data, binary) => {
        if (request.url !== "/fragments") return socket.send(data, { binary });
        socket.send(data.subarray(0, 1), { binary, fin: false });
        socket.ping("between");
        socket.send(data.subarray(1), { binary, fin: true });
      });
      socket.on("error", () => {});
    });
  }
}

async function echoes(socket) {
  for (const size of socket.extensions ? SIZES.slice(0, -1) : SIZES) {
    const text = `{"u":${size}}`.repeat(size).slice(0, size);
    for (const binary of [false, true]) {
      socket.send(Buffer.from(text), { binary });
      const [data, isBinary] = await once(socket, "message");
      assert(data.equals(Buffer.from(text)) && isBinary === binary, `${size} came back otherwise`);
    }
  }
  socket.send("frag", { fin: false });
  socket.ping("between");
  socket.send("mented ü", { fin: true });
  assert.strictEqual((await once(socket, "message"))[0].toString(), "fragmented ü");
}

async function visit(url) {
  for (const perMessageDeflate of KINDS) {
    const socket = new WebSocket(url, ["a", "b"], { perMessageDeflate, maxPayload: 0 });
    await once(socket, "open");
    assert.strictEqual(socket.protocol, "b");
    assert.strictEqual(socket.extensions !== "", perMessageDeflate !== false);
    await echoes(socket);
    socket.ping(Buffer.alloc(125, "x"));
    assert.strictEqual((await once(socket, "pong"))[0].length, 125);
    socket.close(4001, "enough ü");
    assert.strictEqual((await once(socket, "close"))[0], 4001);
  }
  for (const code of CODES) {
    const socket = new WebSocket(url, ["b"]);
    await once(socket, "open");
    socket.close(code, "enough ü");
    assert.strictEqual((await once(socket, "close"))[0], code);
  }
  const cut = new WebSocket(url, ["b"]);
  await once(cut, "open");
  cut.terminate();
  console.log("all is well");
  process.exit(0);
}

process.argv[2] === "serve" ? serve() : visit(process.argv[3]);
