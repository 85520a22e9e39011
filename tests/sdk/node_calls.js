// Every call of the published Node SDK that talks to the vendor, through the gate; prints what each reported.
// usage: node node_calls.js HOST:PORT PATH TOKEN
require("./record");
const Mixpanel = require("mixpanel");
const [host, path, token] = process.argv.slice(2);
const verbose = Mixpanel.init(token, { host, path, protocol: "http", key: "k", verbose: true });
const plain = Mixpanel.init(token, { host, path, protocol: "http", key: "k" });
const done = (f) => new Promise((r) => f((e) => r(Array.isArray(e) ? (e.filter(Boolean)[0] || {}).message || null : e ? e.message : null)));
const now = Math.floor(Date.now() / 1000);
const secret = { email: "alice@example.com", name: "Alice Smith", phone: "+4915112345678" };

(async () => {
  const out = {};
  for (const [mode, mp] of [["plain", plain], ["verbose", verbose]]) {
    const calls = {
      track: (cb) => mp.track("signup", { distinct_id: "u1", plan: "pro", message: "call alice@example.com", ...secret }, cb),
      track_unnamed: (cb) => mp.track("not_in_contract", { distinct_id: "u1", ...secret }, cb),
      track_batch: (cb) => mp.track_batch(Array.from({ length: 120 }, (_, i) => ({
        event: "chat_sent", properties: { distinct_id: "u" + i, seats: i, items: [{ sku: "s" + i, ...secret }], ...secret } })), cb),
      import: (cb) => mp.import("imported", now - 86400 * 30, { distinct_id: "u1", plan: "free", ...secret }, cb),
      import_batch: (cb) => mp.import_batch([
        { event: "imported", properties: { time: now - 86400 * 40, distinct_id: "u2", plan: "plus", ...secret } },
        { event: "imported", properties: { time: now - 86400 * 41, distinct_id: "u3", ...secret } }], cb),
      people_set: (cb) => mp.people.set("u1", { plan: "pro", $email: secret.email, $name: secret.name }, cb),
      people_set_once: (cb) => mp.people.set_once("u1", "plan", "free", cb),
      people_increment: (cb) => mp.people.increment("u1", "games_played", cb),
      groups_set: (cb) => mp.groups.set("company", "acme", { seats: 12, address: "Main St 1" }, cb),
      alias: (cb) => mp.alias("u1", "alias-of-u1", cb),
    };
    for (const [name, call] of Object.entries(calls)) out[`${mode}:${name}`] = await done(call);
  }
  console.log(JSON.stringify(out));
  process.exit(0);
})();
