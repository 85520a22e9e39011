// The flow as a Sankey: sources, categories, vendors, in fields; what was held back ends in the middle.
import { sankey, sankeyLinkHorizontal, sankeyJustify, type SankeyGraph, type SankeyNode } from "d3-sankey";
import type { Flow } from "./data";
import { brief, count, percent, svg } from "./dom";

interface Place { id: string; label: string; column: number; kind: "source" | "category" | "vendor" | "held" | "closed"; colour: number }
interface Stream { value: number; colour: number; kind: string; tip: string; source: string; target: string }

const HELD = "held";
const COLOURS = 8;

// Deltas of a counter between two answers; a restart begins again at nothing.
export function since(now: Flow, then: Flow | null): Flow {
  if (!then) return now;
  const minus = <T extends object>(a: T[], b: T[], field: keyof T): T[] => {
    const key = (x: T) => Object.entries(x).filter(([k]) => k !== field).map(([, v]) => String(v)).join("\0");
    const old = new Map(b.map((x) => [key(x), x[field] as number]));
    return a.map((x) => {
      const before = old.get(key(x)) ?? 0, value = x[field] as number;
      return { ...x, [field]: value >= before ? value - before : value };
    });
  };
  return {
    ...now,
    flows: minus(now.flows, then.flows, "fields"),
    held: minus(now.held, then.held, "fields"),
    sources: minus(now.sources, then.sources, "events"),
    events: minus(now.events, then.events, "events"),
    delivered: minus(now.delivered, then.delivered, "events"),
  };
}

export const total = <T>(rows: T[], field: (x: T) => number): number => rows.reduce((s, x) => s + field(x), 0);

// Fideslang keys, short enough for a diagram; the whole key stands in the tip.
function category(key: string): string {
  const words = key.replace(/^user\./, "").replace(/^system\./, "system ").split(".");
  return words.slice(-2).map((w) => w.replaceAll("_", " ")).join(" · ");
}

function build(f: Flow): { places: Place[]; streams: Stream[] } {
  const places = new Map<string, Place>();
  const streams = new Map<string, Stream>();
  const categories = [...new Set(f.flows.filter((x) => x.fields > 0).map((x) => x.category))].sort();
  const put = (id: string, label: string, column: number, kind: Place["kind"], colour: number) => {
    if (!places.has(id)) places.set(id, { id, label, column, kind, colour });
    return id;
  };
  const add = (from: string, to: string, value: number, colour: number, kind: string, tip: string) => {
    const key = `${from}\0${to}`, s = streams.get(key);
    if (s) s.value += value;
    else streams.set(key, { source: from, target: to, value, colour, kind, tip });
  };
  for (const x of f.flows) {
    if (x.fields <= 0) continue;
    const colour = categories.indexOf(x.category) % COLOURS;
    const s = put(`s ${x.source}`, x.source, 0, "source", -1);
    const c = put(`c ${x.category}`, category(x.category), 1, "category", colour);
    const v = put(`v ${x.vendor}`, x.vendor, 2, "vendor", -1);
    add(s, c, x.fields, colour, "left", `${x.source} → ${x.category}`);
    add(c, v, x.fields, colour, "left", `${x.category} → ${x.vendor}`);
  }
  for (const x of f.held) {
    if (x.fields <= 0) continue;
    const s = put(`s ${x.source}`, x.source, 0, "source", -1);
    add(s, put(HELD, "held back", 1, "held", -1), x.fields, -1, "held", `${x.source}: held back from ${x.vendor}`);
  }
  return { places: [...places.values()], streams: [...streams.values()] };
}

type Graph = SankeyGraph<Place, Stream>;
type Laid = SankeyNode<Place, Stream>;

function lay(places: Place[], streams: Stream[], extent: [[number, number], [number, number]]): Graph {
  const layout = sankey<Place, Stream>()
    .nodeId((d) => d.id)
    .nodeAlign((node, n) => (n > 1 ? (node as Laid).column : sankeyJustify(node as never, n)))
    .nodeSort((a, b) => Number(a.kind === "held") - Number(b.kind === "held") || (b.value ?? 0) - (a.value ?? 0))
    .nodeWidth(14)
    .nodePadding(28)
    .extent(extent);
  return layout({ nodes: places.map((p) => ({ ...p })), links: streams.map((s) => ({ ...s })) });
}

function label(n: Laid, all: number, width: number, narrow: boolean): SVGElement {
  const x0 = n.x0 ?? 0, x1 = n.x1 ?? 0, y = ((n.y0 ?? 0) + (n.y1 ?? 0)) / 2;
  const last = n.kind === "vendor", first = n.kind === "source";
  const x = first ? x0 - 8 : last ? x1 + 8 : x1 + 8;
  const figure = `${brief(n.value ?? 0)}${n.kind === "held" || n.kind === "category" ? ` · ${percent(n.value ?? 0, all)}` : ""}`;
  const text = svg("text", { x, y, class: `label ${n.kind}`, "text-anchor": first ? "end" : "start" });
  const max = narrow ? 17 : 30;
  const name = n.label.length > max ? `${n.label.slice(0, max - 1)}…` : n.label;
  text.append(svg("tspan", { x, dy: "-0.15em", class: "name" }, name), svg("tspan", { x, dy: "1.25em", class: "figure" }, figure));
  if (x > width) text.setAttribute("text-anchor", "end");
  return text;
}

const hatch = () =>
  svg("defs", {},
    svg("pattern", { id: "hatch", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 8, height: 8, class: "hatch-ground" }), svg("rect", { width: 3, height: 8, class: "hatch-line" })));

// False: there is nothing to draw, and that is said.
export function drawFlow(into: HTMLElement, f: Flow, closed: Set<string>): boolean {
  const { places, streams } = build(f);
  const width = Math.max(560, into.clientWidth), narrow = width < 900;
  if (streams.length === 0) {
    into.replaceChildren(Object.assign(document.createElement("p"), { className: "nothing", textContent: "Nothing has come by in this time." }));
    return false;
  }
  const height = Math.min(620, Math.max(340, 60 + 62 * places.filter((p) => p.column === 1).length));
  const longest = (column: number) => Math.min(narrow ? 17 : 30, Math.max(8, ...places.filter((p) => p.column === column).map((p) => p.label.length)));
  const [left, right] = [longest(0), longest(2)].map((n) => 16 + 7.6 * n) as [number, number];
  const graph = lay(places, streams, [[left, 12], [width - right, height - 12]]);
  const all = total(f.flows, (x) => x.fields) + total(f.held, (x) => x.fields);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "sankey", role: "img",
    "aria-label": `${count(all)} fields: ${count(total(f.held, (x) => x.fields))} held back, the rest went to vendors` }, hatch());
  const path = sankeyLinkHorizontal<Place, Stream>();
  for (const l of graph.links) {
    const g = svg("path", { d: path(l) ?? "", class: `stream ${l.kind} c${l.colour}`, "stroke-width": Math.max(1, l.width ?? 1) });
    g.append(svg("title", {}, `${l.tip}: ${count(l.value)} fields`));
    root.append(g);
  }
  for (const n of graph.nodes) {
    const shut = n.kind === "vendor" && closed.has(n.label);
    const r = svg("rect", { x: n.x0 ?? 0, y: n.y0 ?? 0, width: (n.x1 ?? 0) - (n.x0 ?? 0), height: Math.max(2, (n.y1 ?? 0) - (n.y0 ?? 0)), rx: 3,
      class: `place ${n.kind} c${n.colour}${shut ? " shut" : ""}` });
    r.append(svg("title", {}, `${n.id.slice(2) || n.label}: ${count(n.value ?? 0)} fields`));
    root.append(r, label(n, all, width, narrow));
  }
  into.replaceChildren(root);
  return true;
}
