// A browser as a peer: checks an echo server at `url`, which speaks "b", and says which connection it leaves open for the end.
async (url, isDeflated) => {
  const must = (is, what) => { if (!is) throw new Error(what); };
  const once = (socket, kind) => new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${kind} in 20 s`)), 20000);
    socket.addEventListener(kind, (event) => { clearTimeout(late); resolve(event); }, { once: true });
  });
  const open = async () => {
    const socket = new WebSocket(url, ["a", "b"]);
    socket.binaryType = "arraybuffer";
    await once(socket, "open");
    must(socket.protocol === "b", `the subprotocol ${socket.protocol}`);
    must(socket.extensions.includes("permessage-deflate") === isDeflated, `the extensions ${socket.extensions}`);
    return socket;
  };
  const closed = async (socket, code, wasClean) => {
    const event = await once(socket, "close");
    must(event.code === code && event.wasClean === wasClean, `closed with ${event.code}, ${event.wasClean}, not ${code}`);
  };
  const socket = await open();
  for (const size of [0, 1, 125, 126, 65535, 65536, 1000000]) {
    const bytes = new Uint8Array(size).map((_, at) => at * 7 + (at >> 8));
    for (const data of [bytes, new Blob([bytes])]) {
      socket.send(data);
      const back = new Uint8Array((await once(socket, "message")).data);
      must(back.length === size && back.every((byte, at) => byte === bytes[at]), `${size} bytes came back otherwise`);
    }
    const text = "ü€".repeat(size / 5);
    socket.send(text);
    must((await once(socket, "message")).data === text, `a text of ${size} came back otherwise`);
  }
  for (const code of [undefined, 1000, 3000, 3999, 4000, 4999]) {
    const leaving = await open();
    code ? leaving.close(code, "grüße") : leaving.close();
    await closed(leaving, code || 1005, true);
  }
  socket.send(new Uint8Array(1000001));
  await closed(socket, 1009, true);
  const stays = await open();
  window.ending = once(stays, "close").then((event) => `${event.code} ${event.wasClean}`);
  return "all is well";
}
