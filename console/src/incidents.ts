import type { Clock, Incident } from "./data";
import { clock as time, count, day, el, many, span, when } from "./dom";

const seconds = (t: string | null | undefined): number | null => (t ? Date.parse(t) / 1000 : null);

// "NIS2 (Directive (EU) 2022/2555)": people say the short name; the long one stands below.
const short = (law: string): string => law.split(" (")[0]!;

function clock(c: Clock, now: number): HTMLElement {
  const due = seconds(c.due), started = seconds(c.started), filed = seconds(c.filed);
  const left = due == null ? null : due - now;
  const kind = c.state === "met" ? "done" : c.state === "overdue" || c.state === "late" ? "late" : left != null && left < 12 * 3600 ? "soon" : "runs";
  const text = filed != null ? "filed" : left == null ? c.state : left < 0 ? `${span(-left)} over` : `${span(left)} left`;
  const bar = el("progress", { max: "1", "aria-label": `${c.law} ${c.article}: ${text}` });
  bar.value = due != null && started != null && due > started ? Math.min(1, Math.max(0, (now - started) / (due - started))) : 0;
  const date = filed != null ? `Filed ${when(filed)}` : due != null ? `By ${when(due)}` : c.why;
  return el("li", { class: `clock ${kind}` },
    el("div", { class: "row" }, el("span", { class: "name" }, `${short(c.law)}, ${c.jurisdiction}`), el("span", { class: "left" }, text)),
    due != null && filed == null ? bar : null,
    date ? el("small", {}, date) : null,
    el("small", {}, `Tell: ${c.to}`),
    el("small", {}, c.law === short(c.law) ? c.article : `${c.law}, ${c.article}`),
    c.verified ? null : el("small", { class: "unverified" }, "Nobody has checked this rule: read the law before you rely on it."));
}

const order = (c: Clock): number => seconds(c.due) ?? Number.MAX_SAFE_INTEGER;
const SHOWN = 6;

function clocks(all: Clock[], now: number, open: Set<string>, id: string): HTMLElement | null {
  if (all.length === 0) return null;
  const sorted = [...all].sort((a, b) => order(a) - order(b));
  const rest = sorted.slice(SHOWN), running = rest.filter((c) => c.due != null && c.filed == null).length;
  const summary = `${many(rest.length, "more deadline")}${running < rest.length ? `, ${count(rest.length - running)} of them without a date` : ""}`;
  const more = el("details", { class: "more" }, el("summary", {}, summary), el("ul", { class: "clocks" }, ...rest.map((c) => clock(c, now))));
  more.open = open.has(id);
  more.addEventListener("toggle", () => (more.open ? open.add(id) : open.delete(id)));
  return el("div", {}, el("h4", {}, "Deadlines"), el("ul", { class: "clocks" }, ...sorted.slice(0, SHOWN).map((c) => clock(c, now))), rest.length ? more : null);
}

const WORDS: Record<string, string> = {
  "incident-open": "Opened", "incident-report": "Reported", "incident-note": "Note", "incident-anchor": "A time was set", "incident-message": "The vendor wrote",
  "incident-scope": "People counted", "incident-severity": "Severity judged", "incident-file": "Told an authority", "incident-close": "Closed",
  "incident-dismiss": "Dismissed", "incident-reopen": "Opened again", "incident-lift": "Cut-off lifted", "incident-draft": "Draft written",
  "incident-release": "Letters released by a second person", "incident-notify": "Letters", "incident-share": "Shared with peers",
};

interface Step { at: number; what: string; text: string; who: string; times: number }

// What was done several times on end, by one person with the same words, is one line.
function steps(i: Incident): Step[] {
  const out: Step[] = [];
  for (const t of i.timeline) {
    const s: Step = { at: seconds(t.at) ?? 0, what: WORDS[t.kind] ?? t.kind.replace(/^incident-/, "").replaceAll("-", " "), text: t.text, who: t.who, times: 1 };
    const last = out[out.length - 1];
    if (last && last.what === s.what && last.text === s.text && last.who === s.who) last.times++;
    else out.push(s);
  }
  return out;
}

const LINES = 10;

function timeline(i: Incident): HTMLElement | null {
  const all = steps(i), shown = all.slice(-LINES);
  if (all.length === 0) return null;
  let before = "";
  const lines = shown.map((s) => {
    const date = day(s.at), head = date === before ? "" : date;
    before = date;
    return el("li", {}, el("time", {}, head ? el("b", {}, head) : null, `${time(s.at)} UTC`),
      el("span", {}, el("strong", {}, s.times > 1 ? `${s.what}, ${s.times} times` : s.what), s.text ? ` · ${s.text}` : ""), el("small", {}, s.who));
  });
  const earlier = all.length - shown.length;
  return el("div", { class: "timeline" }, el("h4", {}, "What was done"),
    earlier ? el("small", {}, `The latest ${LINES}; weir incident show ${i.id} lists ${many(earlier, "earlier one")} too.`) : null, el("ol", {}, ...lines));
}

const opened = new Set<string>();
const fact = (name: string, value: string) => el("div", {}, el("dt", {}, name), el("dd", {}, value));

function card(i: Incident, now: number): HTMLElement {
  const confirmed = i.severity?.confirmed, severity = confirmed ?? i.severity?.proposed;
  return el("article", { class: "card incident", id: `incident-${i.id}` },
    el("header", {}, el("div", {}, el("h3", {}, `${i.vendor_name ?? i.vendor}: ${i.why}`), el("small", {}, `Incident ${i.id}`)),
      el("span", { class: `state ${i.state}` }, i.state)),
    el("dl", { class: "facts" },
      fact("People concerned", i.people == null ? "not counted yet" : count(i.people)),
      fact("Flow to the vendor", i.cut_off ? "cut off" : "not cut off"),
      severity?.band ? fact("Severity", `${severity.band}${confirmed ? "" : ", proposed"}`) : null,
      fact("Since", when(seconds(i.at) ?? 0))),
    i.state === "open" || i.state === "reported" ? clocks(i.clocks, now, opened, String(i.id)) : null,
    timeline(i));
}

export function drawIncidents(into: HTMLElement, list: Incident[], now: number): void {
  into.replaceChildren(...(list.length ? list.map((i) => card(i, now)) : [el("p", { class: "nothing" }, "No incident. May it stay so.")]));
}
