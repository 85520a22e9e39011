// Loaded before a script (node --require) with WEIR_SENT: what a program sends by http is written there, a JSON line a body, as
// tests/weirlab.py does for its own requests.
const fs = require("fs"), http = require("http");
const file = process.env.WEIR_SENT;
const write = (b) => fs.appendFileSync(file, JSON.stringify({ body: Buffer.from(b).toString("base64") }) + "\n");
exports.record = (url, body) => file && write([url, body || ""].join("\n"));
if (file) {
  const request = http.ClientRequest.prototype;
  for (const name of ["write", "end"]) {
    const original = request[name];
    request[name] = function (chunk, ...rest) {
      if (typeof chunk === "string" || Buffer.isBuffer(chunk)) write(chunk);
      if (name === "end") write(this.path);
      return original.call(this, chunk, ...rest);
    };
  }
}
