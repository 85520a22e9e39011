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
  title: string;
  due: number | null;
  started: number | null;
  done?: number | null;
  verified?: boolean;
  why?: string;
}

export interface Incident {
  id: string | number;
  vendor: string;
  title: string;
  state: string;
  opened: number;
  people: number | null;
  severity?: string;
  clocks: Clock[];
  timeline: { at: number; who: string; text: string }[];
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
