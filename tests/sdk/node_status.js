// One track call of the Node SDK against a server; prints what was reported.   usage: node node_status.js HOST:PORT PATH TOKEN
require("./record");
const [host, path, token] = process.argv.slice(2);
const mp = require("mixpanel").init(token, { host, path, protocol: "http" });
mp.track("signup", { distinct_id: "u1" }, (e) => { console.log(JSON.stringify({ error: e ? "yes" : null })); setTimeout(() => process.exit(0), 1500); });
