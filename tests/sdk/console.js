// The console in Chromium.  usage: node console.js API USER PASSWORD WIDTH     prints one JSON line
const { chromium } = require("playwright-core");
const [api, user, password, width] = process.argv.slice(2);
(async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
  const page = await (await browser.newContext({ viewport: { width: Number(width), height: 900 } })).newPage();
  const errors = [], violations = [];
  page.on("pageerror", (e) => errors.push(e.message));
  page.on("console", (m) => {
    if (/Content Security Policy|Refused to/.test(m.text())) violations.push(m.text());
    else if (m.type() === "error" && !/401/.test(m.text())) errors.push(m.text());
  });
  page.on("request", (r) => { if (!r.url().startsWith(api)) violations.push(r.url()); });
  await page.addInitScript(() => { window.csp = []; document.addEventListener("securitypolicyviolation", (e) => window.csp.push(e.violatedDirective)); });
  await page.goto(api + "/");
  const enter = async (p) => { await page.fill("#user", user); await page.fill("#password", p); await page.click("button[type=submit]"); };
  await page.waitForSelector("#user");
  await enter("not the password");
  await page.waitForSelector(".error:not(:empty)");
  const refused = await page.textContent(".error");
  await enter(password);
  await page.waitForSelector(".sankey");
  const out = await page.evaluate(() => ({
    streams: document.querySelectorAll(".stream").length, held: document.querySelectorAll(".stream.held").length,
    labels: [...document.querySelectorAll(".label .name")].map((e) => e.textContent),
    vendors: [...document.querySelectorAll("#vendors td strong")].map((e) => e.textContent), state: document.querySelector("#vendors .state").textContent,
    incidents: document.querySelector("#incidents").innerText, banner: document.querySelector(".banner").innerText,
    empty: [...document.querySelectorAll("main section, dd, h4 + *")].filter((e) => e.checkVisibility() && !e.innerText.trim()).length,
    wide: document.documentElement.scrollWidth > innerWidth }));
  await page.waitForTimeout(2500);   // one more round of asking
  violations.push(...(await page.evaluate(() => window.csp)));
  await page.click("text=Log out");
  await page.waitForSelector("#user");
  console.log(JSON.stringify({ refused, ...out, violations, errors, after_logout: true }));
  await browser.close();
})().catch((e) => { console.error(e); process.exit(1); });
