import type { Flow, Vendor } from "./data";
import { ago, brief, count, day, el } from "./dom";
import { total } from "./flow";

const KINDS: Record<string, string> = {
  approve: "approved", suspend: "suspended", restrict: "restricted", quarantine: "quarantined", release: "released",
  "incident-open": "cut off", "incident-confirm": "cut off", "incident-lift": "cut-off lifted", ask: "asked", apply: "proposed", refresh: "put into effect", import: "proposed", "plan-found": "found signed", offboard: "offboarded",
};

function reason(v: Vendor): HTMLElement {
  const strict = Object.entries(v.asks).filter(([, f]) => f === v.flow && f !== "open").map(([who]) => who);
  // Putting rules and incidents into effect follows their own event, which says why.
  const e = v.events.find((x) => x.kind !== "refresh") ?? v.events[0];
  const by = strict.length ? `asked by ${strict.map((w) => (w === "person" ? "a person" : `an ${w}`.replace("an rule", "a rule"))).join(" and ")}` : "";
  return el("div", { class: "why" },
    e ? el("span", {}, e.why || KINDS[e.kind] || e.kind) : el("span", { class: "muted" }, "no event yet"),
    el("small", {}, [e ? `${KINDS[e.kind] ?? e.kind} by ${e.who}` : "", by].filter(Boolean).join(" · ")));
}

export function drawVendors(into: HTMLElement, vendors: Vendor[], f: Flow | null, now: number): void {
  if (vendors.length === 0) {
    into.replaceChildren(el("p", { class: "nothing" }, "No vendor yet: weir apply reads contracts."));
    return;
  }
  const body = el("tbody");
  for (const v of vendors) {
    const state = v.life === "approved" ? v.flow : v.life;
    const mine = (outcome: string) => total((f?.events ?? []).filter((x) => x.vendor === v.vendor && x.outcome === outcome), (x) => x.events);
    const waiting = total((f?.queued ?? []).filter((x) => x.vendor === v.vendor), (x) => x.events);
    body.append(el("tr", {},
      el("td", {}, el("strong", {}, v.vendor), el("small", {}, v.name)),
      el("td", {}, el("span", { class: `state ${state}` }, state)),
      el("td", {}, reason(v)),
      el("td", { class: "number", "data-name": "Passed", title: "kept events since the gate started" }, brief(mine("kept"))),
      el("td", { class: "number", "data-name": "Refused", title: "requests refused since the gate started" }, brief(mine("refused"))),
      el("td", { class: "number", "data-name": "Waiting", title: "events that wait on disk" }, count(waiting)),
      el("td", { "data-name": "Contract" }, v.version ? `v${v.version}` : "–", el("small", {}, v.not_after ? `until ${day(v.not_after - 1)}` : `changed ${ago(v.at, now)}`))));
  }
  into.replaceChildren(el("table", {},
    el("thead", {}, el("tr", {}, ...["Vendor", "State", "Why", "Passed", "Refused", "Waiting", "Contract"].map((h, i) =>
      el("th", { scope: "col", class: i > 2 && i < 6 ? "number" : "" }, h)))), body));
}
