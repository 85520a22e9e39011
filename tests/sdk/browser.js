// The published browser SDK in Chromium, on a page of another origin than the gate.
// usage: node browser.js SCENARIO GATE_URL TOKEN     prints one JSON line
const http = require("http"), fs = require("fs"), path = require("path");
const { record } = require("./record");
const { chromium } = require("playwright-core");
const [scenario, gate, token] = process.argv.slice(2);
const lib = fs.readFileSync(path.join(__dirname, "node_modules/mixpanel-browser/dist/mixpanel.module.js"));

const init = `window.calls = []; window.onerror = (m) => calls.push(["onerror", String(m)]);
  mixpanel.init(${JSON.stringify(token)}, { api_host: ${JSON.stringify(gate)}, persistence: "localStorage", debug: false,
    track_pageview: SCENARIO_PAGEVIEW, batch_flush_interval_ms: 200, ip: true, loaded: () => calls.push(["loaded", true]) });
  const call = (name, f) => f((r) => calls.push([name, r]));`;

const scripts = {
  calls: `${init.replace("SCENARIO_PAGEVIEW", "false")}
    call("track", (cb) => mixpanel.track("signup", { plan: "pro", email: "alice@example.com", message: "I am alice@example.com" }, { send_immediately: true }, cb));
    setTimeout(() => { mixpanel.identify("user-42");
      call("track_after_identify", (cb) => mixpanel.track("chat_sent", { seats: 55, "Full Name": "Alice Smith" }, { send_immediately: true }, cb));
      call("people_set", (cb) => mixpanel.people.set({ plan: "pro", $email: "alice@example.com", $name: "Alice Smith" }, cb));
      mixpanel.people.set_once({ plan: "free" });
      mixpanel.get_group("company", "acme").set({ seats: 3, owner: "Alice Smith" });
    }, 300);`,
  beacon: `${init.replace("SCENARIO_PAGEVIEW", "false")}
    addEventListener("pagehide", () => mixpanel.track("signup", { plan: "free", email: "alice@example.com" }, { transport: "sendBeacon" }));`,
  status: `${init.replace("SCENARIO_PAGEVIEW", "false")} mixpanel.track("signup", { plan: "pro" });`,
  reset: `${init.replace("SCENARIO_PAGEVIEW", "true")}
    call("track", (cb) => mixpanel.track("signup", { plan: "pro" }, { send_immediately: true }, cb));
    setTimeout(() => { mixpanel.identify("user-42"); mixpanel.people.set({ plan: "pro" }); mixpanel.track("chat_opened"); }, 300);`,
};

const page = http.createServer((rq, rs) => {
  if (rq.url.startsWith("/mixpanel.js")) return rs.writeHead(200, { "Content-Type": "text/javascript" }).end(lib);
  if (rq.url.startsWith("/favicon")) return rs.writeHead(204).end();
  rs.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(`<!doctype html><title>Invoice 42 - Alice Smith</title>
    <h1>Reset your password</h1><script type="module">${rq.url.startsWith("/empty") ? "" : `import mixpanel from "/mixpanel.js";\n${scripts[scenario]}`}</script>`);
});

page.listen(0, "127.0.0.1", async () => {
  const base = `http://localhost:${page.address().port}`;
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
  const tab = await browser.newPage();
  const problems = [], answers = [];
  tab.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") problems.push(m.text()); });
  tab.on("request", (r) => { if (r.url().startsWith(gate)) record(r.url(), r.postData()); });
  tab.on("response", (r) => { if (r.url().startsWith(gate)) answers.push([r.request().method(), new URL(r.url()).pathname, r.status()]); });
  tab.on("requestfailed", (r) => { if (r.url().startsWith(gate)) problems.push(`failed: ${r.method()} ${new URL(r.url()).pathname}`); });
  await tab.goto(scenario === "reset" ? `${base}/reset?email=alice%40example.com&token=SECRETRESETTOKEN42#frag` : `${base}/start`,
    scenario === "reset" ? { referer: "https://mail.example.com/inbox?msg=alice@example.com" } : {});
  await tab.waitForTimeout(scenario === "beacon" ? 500 : 3500);
  const calls = await tab.evaluate("window.calls");
  for (const kept of await tab.evaluate("Object.values(localStorage)")) record("", kept);   // what a beacon carries isn't shown
  if (scenario === "beacon") { await tab.goto(`${base}/empty`); await tab.waitForTimeout(800); }
  await browser.close();
  console.log(JSON.stringify({ calls, answers, problems }));
  process.exit(0);
});
