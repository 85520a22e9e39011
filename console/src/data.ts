// What the server answers, and asking it.
export interface Flow {
  at: number;
  flows: { source: string; category: string; vendor: string; fields: number }[];
  held: { source: string; vendor: string; fields: number }[];
  sources: { source: string; vendor: string; events: number }[];
  events: { vendor: string; outcome: string; reason: string; events: number }[];
  delivered: { vendor: string; result: string; events: number }[];
  queued: { vendor: string; events: number }[];
}

export interface VendorEvent { at: number; who: string; kind: string; why: string }

export interface Vendor {
  vendor: string;
  name: string;
  life: string;
  flow: string;
  asks: Record<string, string>;
  version: number;
  newest: number;
  serial: number;
  not_after: number | null;
  at: number;
  events: VendorEvent[];
}

export interface Clock {
  id: string;
  jurisdiction: string;
  law: string;
  article: string;
  to: string;
  state: "running" | "no number" | "overdue" | "met" | "late" | "suspended" | string;
  started: string | null;
  due: string | null;
  filed?: string;
  why: string | null;
  verified: boolean;
}

interface Severity { band: string; quarters: number; by?: string }

export interface Incident {
  id: number;
  vendor: string;
  vendor_name?: string;
  state: "reported" | "open" | "closed" | "dismissed";
  source: string;
  at: string;
  why: string;
  cut_off: boolean;
  people: number | null;
  severity?: { proposed?: Severity | null; confirmed?: Severity | null };
  clocks: Clock[];
  timeline: { at: string; who: string; kind: string; text: string }[];
}

export class LoginNeeded extends Error {}

async function ask<T>(path: string): Promise<T> {
  const r = await fetch(path, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (r.status === 401) throw new LoginNeeded();
  if (!r.ok) throw new Error(`the server answered ${r.status}`);
  return (await r.json()) as T;
}

async function send(path: string, body: unknown): Promise<Response> {
  return fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, credentials: "same-origin", body: JSON.stringify(body) });
}

export const session = () => ask<{ user: string }>("/api/session");
export const flow = () => ask<Flow>("/api/flow");
export const vendors = () => ask<{ vendors: Vendor[]; at: number }>("/api/vendors");
export const incidents = () => ask<{ incidents: Incident[]; at: number }>("/api/incidents");
export const logout = () => send("/api/logout", {});

export async function login(user: string, password: string): Promise<string | null> {
  const r = await send("/api/login", { user, password });
  if (r.ok) return null;
  const body = (await r.json().catch(() => null)) as { error?: string } | null;
  return body?.error ?? `the server answered ${r.status}`;
}
