import type { Clock, Incident } from "./data";
import { count, el, span, when } from "./dom";

const seconds = (t: string | null | undefined): number | null => (t ? Date.parse(t) / 1000 : null);

function clock(c: Clock, now: number): HTMLElement {
  const due = seconds(c.due), started = seconds(c.started), filed = seconds(c.filed);
  const left = due == null ? null : due - now;
  const kind = c.state === "met" ? "done" : c.state === "overdue" || c.state === "late" ? "late" : left != null && left < 12 * 3600 ? "soon" : "runs";
  const text = filed != null ? `filed ${when(filed)}` : left == null ? c.state : left < 0 ? `${span(-left)} over` : `${span(left)} left`;
  const bar = el("progress", { max: "1", "aria-label": `${c.law} ${c.article}: ${text}` });
  bar.value = due != null && started != null && due > started ? Math.min(1, Math.max(0, (now - started) / (due - started))) : 0;
  return el("li", { class: `clock ${kind}` },
    el("div", { class: "row" }, el("span", { class: "name" }, `${c.jurisdiction}: ${c.article}`), el("span", { class: "left" }, text)),
    bar,
    el("small", {}, [c.law, `to ${c.to}`, due != null ? `due ${when(due)}` : c.why ?? ""].filter(Boolean).join(" · ")),
    c.verified ? null : el("small", { class: "unverified" }, "unverified: check the law before relying on this"));
}

const order = (c: Clock): number => seconds(c.due) ?? Number.MAX_SAFE_INTEGER;
const SHOWN = 6;

function clocks(all: Clock[], now: number, open: Set<string>, id: string): HTMLElement | null {
  if (all.length === 0) return null;
  const sorted = [...all].sort((a, b) => order(a) - order(b));
  const rest = sorted.slice(SHOWN);
  const more = el("details", { class: "more" }, el("summary", {}, `${rest.length} more deadlines`), el("ul", { class: "clocks" }, ...rest.map((c) => clock(c, now))));
  more.open = open.has(id);
  more.addEventListener("toggle", () => (more.open ? open.add(id) : open.delete(id)));
  return el("div", {}, el("ul", { class: "clocks" }, ...sorted.slice(0, SHOWN).map((c) => clock(c, now))), rest.length ? more : null);
}

const opened = new Set<string>();

function card(i: Incident, now: number): HTMLElement {
  const severity = i.severity?.confirmed ?? i.severity?.proposed;
  return el("article", { class: "card incident" },
    el("header", {}, el("h3", {}, `${i.id} · ${i.vendor_name ?? i.vendor}: ${i.why}`), el("span", { class: `state ${i.state}` }, i.state)),
    el("dl", { class: "facts" },
      el("div", {}, el("dt", {}, "Opened"), el("dd", {}, when(seconds(i.at) ?? 0))),
      el("div", {}, el("dt", {}, "People with data there"), el("dd", {}, i.people == null ? "not counted" : count(i.people))),
      el("div", {}, el("dt", {}, "Flow"), el("dd", {}, i.cut_off ? "cut off" : "not cut off")),
      severity?.band ? el("div", {}, el("dt", {}, "ENISA severity"), el("dd", {}, `${severity.band}${severity.by ? "" : " (proposed)"}`)) : null),
    clocks(i.clocks, now, opened, String(i.id)),
    i.timeline.length
      ? el("ol", { class: "timeline" }, ...i.timeline.slice(-8).map((t) => el("li", {}, el("time", {}, when(seconds(t.at) ?? 0)), el("span", {}, t.text || t.kind), el("small", {}, t.who))))
      : null);
}

export function drawIncidents(into: HTMLElement, list: Incident[], now: number): void {
  into.replaceChildren(...(list.length ? list.map((i) => card(i, now)) : [el("p", { class: "nothing" }, "No incident. May it stay so.")]));
}
