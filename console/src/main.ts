import "./style.css";
import * as data from "./data";
import { brief, el, percent } from "./dom";
import { drawFlow, since, total } from "./flow";
import { drawIncidents } from "./incidents";
import { showLogin } from "./login";
import { drawVendors } from "./vendors";

const EVERY_MS = 2000, MINUTE = 31;
const app = document.getElementById("app")!;
let timer = 0;

interface Page {
  tiles: HTMLElement;
  banner: HTMLElement;
  sankey: HTMLElement;
  columns: HTMLElement;
  caption: HTMLElement;
  vendors: HTMLElement;
  incidents: HTMLElement;
  badge: HTMLElement;
  live: boolean;
  samples: data.Flow[];
}

function tile(name: string, figure: string, note: string, kind = ""): HTMLElement {
  return el("div", { class: `tile ${kind}` }, el("span", { class: "name" }, name), el("b", {}, figure), el("small", {}, note));
}

function drawTiles(p: Page, now: data.Flow, open: number): void {
  const then = p.samples.length > 1 ? p.samples[Math.max(0, p.samples.length - 4)]! : null;
  const recent = since(now, then), seconds = then ? Math.max(1, now.at - then.at) : 1;
  const left = total(now.flows, (x) => x.fields), held = total(now.held, (x) => x.fields);
  const rate = then ? total(recent.sources, (x) => x.events) / seconds : 0;
  const refused = total(now.events.filter((x) => x.outcome === "refused"), (x) => x.events);
  p.tiles.replaceChildren(
    tile("Coming in now", `${brief(rate)}/s`, "events, last seconds"),
    tile("Went out", brief(left), "fields that a contract names"),
    tile("Held back", brief(held), left + held ? `${percent(held, left + held)} of all fields` : "nothing came yet", held ? "good" : ""),
    tile("Refused", brief(refused), "requests in all", refused ? "warn" : ""),
    tile("Open incidents", String(open), open ? "see below" : "none", open ? "bad" : ""),
  );
}

async function refresh(p: Page): Promise<void> {
  const [f, v, i] = await Promise.all([data.flow(), data.vendors(), data.incidents()]);
  p.samples.push(f);
  if (p.samples.length > MINUTE) p.samples.shift();
  const open = i.incidents.filter((x) => x.state === "open" || x.state === "reported").length;
  const closed = new Set(v.vendors.filter((x) => x.flow === "suspended" || x.flow === "quarantined").map((x) => x.vendor));
  drawTiles(p, f, open);
  p.columns.hidden = !drawFlow(p.sankey, p.live ? since(f, p.samples[0] ?? null) : f, closed);
  p.caption.textContent = p.live ? "last minute, in fields" : "since the gate started, in fields";
  drawVendors(p.vendors, v.vendors, f, v.at);
  drawIncidents(p.incidents, i.incidents, i.at);
  p.badge.textContent = open ? String(open) : "";
  const urgent = i.incidents.find((x) => x.state === "open" && closed.has(x.vendor));
  p.banner.replaceChildren(...(closed.size ? [`Cut off: ${[...closed].join(", ")}. Nothing reaches ${closed.size === 1 ? "this vendor" : "these vendors"}.`] : []),
    ...(urgent ? [el("a", { href: `#incident-${urgent.id}` }, "Deadlines and what was done")] : []));
  p.banner.hidden = closed.size === 0;
}

function frame(user: string): Page {
  const part = () => el("div");
  const p: Page = { tiles: el("div", { class: "tiles" }), banner: el("p", { class: "banner", role: "status" }), sankey: el("div", { class: "diagram" }),
    columns: el("div", { class: "columns", "aria-hidden": "true" }, el("span", {}, "Sources"), el("span", {}, "Categories"), el("span", {}, "Vendors")),
    caption: el("span", { class: "muted" }), vendors: part(), incidents: el("div", { class: "incidents" }), badge: el("span", { class: "badge" }),
    live: false, samples: [] };
  p.banner.hidden = true;
  const toggle = (name: string, live: boolean) => {
    const b = el("button", { type: "button", "aria-pressed": String(p.live === live) }, name);
    b.addEventListener("click", () => {
      p.live = live;
      for (const other of b.parentElement!.children) other.setAttribute("aria-pressed", String(other === b));
      void tick(p);
    });
    return b;
  };
  const out = el("button", { type: "button", class: "plain" }, "Log out");
  out.addEventListener("click", async () => {
    await data.logout();
    start();
  });
  app.replaceChildren(
    el("header", { class: "top" },
      el("a", { class: "brand", href: "#flow" }, el("img", { src: "/icon.svg", alt: "", width: "26", height: "26" }), "Weir"),
      el("nav", {}, el("a", { href: "#flow" }, "Flow"), el("a", { href: "#vendors" }, "Vendors"), el("a", { href: "#incidents" }, "Incidents", p.badge)),
      el("span", { class: "who" }, user, out)),
    el("main", {},
      p.banner, p.tiles,
      el("section", { class: "card", id: "flow" },
        el("div", { class: "heading" }, el("h2", {}, "Flow"), p.caption, el("div", { class: "toggle", role: "group", "aria-label": "time" }, toggle("Since start", false), toggle("Last minute", true))),
        p.columns, p.sankey),
      el("section", { class: "card", id: "vendors" }, el("h2", {}, "Vendors"), p.vendors),
      el("section", { id: "incidents" }, el("h2", {}, "Incidents"), p.incidents)));
  return p;
}

async function tick(p: Page): Promise<void> {
  clearTimeout(timer);
  try {
    await refresh(p);
    app.classList.remove("stale");
  } catch (e) {
    if (e instanceof data.LoginNeeded) return start();
    app.classList.add("stale");
  }
  timer = setTimeout(() => void tick(p), EVERY_MS) as unknown as number;
}

async function start(): Promise<void> {
  clearTimeout(timer);
  try {
    const { user } = await data.session();
    const p = frame(user);
    await tick(p);
    let resize = 0;
    window.onresize = () => {
      clearTimeout(resize);
      resize = setTimeout(() => void tick(p), 150) as unknown as number;
    };
  } catch {
    window.onresize = null;
    showLogin(app, () => void start());
  }
}

void start();
