// Small helpers over the DOM; text goes in as text only, never as markup.
type Child = Node | string | null | undefined | false;

export function el<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Record<string, string> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...(children.filter(Boolean) as (Node | string)[]));
  return e;
}

export function svg(tag: string, attributes: Record<string, string | number> = {}, ...children: Child[]): SVGElement {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, String(v));
  e.append(...(children.filter(Boolean) as (Node | string)[]));
  return e;
}

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (n: number): string => whole.format(Math.round(n));
export const brief = (n: number): string => (n < 10000 ? count(n) : short.format(n));
export const percent = (part: number, all: number): string => {
  if (all <= 0) return "–";
  const p = (100 * part) / all;
  return p > 0 && p < 0.1 ? "<0.1 %" : p < 100 && p > 99.9 ? ">99.9 %" : `${p.toFixed(p === 100 || p === 0 ? 0 : 1)} %`;
};

const dayOf = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const timeOf = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

export const day = (seconds: number): string => dayOf.format(new Date(seconds * 1000));
export const clock = (seconds: number): string => timeOf.format(new Date(seconds * 1000));
export const when = (seconds: number): string => `${day(seconds)}, ${clock(seconds)} UTC`;
export const many = (n: number, one: string, several = `${one}s`): string => `${count(n)} ${n === 1 ? one : several}`;

export function span(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const d = Math.floor(s / 86400), h = Math.floor((s % 86400) / 3600), m = Math.floor((s % 3600) / 60);
  if (d > 0) return `${d} d ${h} h`;
  if (h > 0) return `${h} h ${m} min`;
  return m > 0 ? `${m} min ${s % 60} s` : `${s} s`;
}

export const ago = (at: number, now: number): string => (now - at < 5 ? "just now" : `${span(now - at)} ago`);
