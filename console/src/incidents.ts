import type { Clock, Incident } from "./data";
import { count, el, span, when } from "./dom";

function clock(c: Clock, now: number): HTMLElement {
  const done = c.done != null, left = c.due == null ? null : c.due - now;
  const state = done ? "done" : left == null ? "waits" : left < 0 ? "late" : left < 12 * 3600 ? "soon" : "runs";
  const text = done ? `done ${when(c.done!)}` : left == null ? "not started" : left < 0 ? `${span(-left)} over` : `${span(left)} left`;
  const bar = el("progress", { max: "1", "aria-label": `${c.title}: ${text}` });
  if (c.due != null && c.started != null && c.due > c.started) bar.value = Math.min(1, Math.max(0, (now - c.started) / (c.due - c.started)));
  else bar.value = 0;
  return el("li", { class: `clock ${state}` },
    el("div", { class: "row" }, el("span", { class: "name" }, c.title), el("span", { class: "left" }, text)),
    bar,
    el("small", {}, [c.due != null ? `due ${when(c.due)}` : c.why ?? "", c.verified === false ? "deadline not verified against the law's text" : ""].filter(Boolean).join(" · ")));
}

function card(i: Incident, now: number): HTMLElement {
  return el("article", { class: `card incident ${i.state}` },
    el("header", {}, el("h3", {}, i.title || `Incident at ${i.vendor}`), el("span", { class: `state ${i.state}` }, i.state)),
    el("dl", { class: "facts" },
      el("div", {}, el("dt", {}, "Vendor"), el("dd", {}, i.vendor)),
      el("div", {}, el("dt", {}, "Opened"), el("dd", {}, when(i.opened))),
      el("div", {}, el("dt", {}, "People"), el("dd", {}, i.people == null ? "not counted" : count(i.people))),
      i.severity ? el("div", {}, el("dt", {}, "Severity"), el("dd", {}, i.severity)) : null),
    i.clocks.length ? el("ul", { class: "clocks" }, ...i.clocks.map((c) => clock(c, now))) : null,
    i.timeline.length
      ? el("ol", { class: "timeline" }, ...i.timeline.slice(-8).map((t) => el("li", {}, el("time", {}, when(t.at)), el("span", {}, t.text), el("small", {}, t.who))))
      : null);
}

export function drawIncidents(into: HTMLElement, list: Incident[], now: number): void {
  into.replaceChildren(...(list.length ? list.map((i) => card(i, now)) : [el("p", { class: "nothing" }, "No incident. May it stay so.")]));
}
