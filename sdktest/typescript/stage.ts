// The stage the tests play on: the program vendors, started once for each file, and its control address.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { after } from "node:test";

const testdata = new URL("../../testdata/", import.meta.url);

export type Vendor = "openai" | "anthropic" | "gemini" | "cohere" | "bedrock" | "ollama";
export type Reply = Record<string, unknown>;
export type Side = "own" | "other";

export interface Scenarios {
  routes: Record<"openai" | "anthropic", Record<Side | "first", string>>;
  usage: { reply: Reply; openai: Record<string, number>; anthropic: Record<string, number> };
  tools: { results: Record<string, string>; turns: [Reply, Reply]; said: string };
  citations: { reply: Reply; urls: string[] };
  thinking: { thought: string; tools: Reply; said: string };
  errors: { fault: string; openai: Record<Side, number>; anthropic: Record<Side, number> }[];
  failover: { unary: string[]; stream: string[] };
  broken: string[];
  every: string[];
  blind: string[];
}

export interface Seen {
  fault: string;
  cancelled: number;
  body: Record<string, unknown>;
}

export const scenarios = JSON.parse(readFileSync(new URL("scenarios.json", testdata), "utf8")) as Scenarios;
export const pixel = readFileSync(new URL("pixel.png", testdata));
export const page = readFileSync(new URL("page.pdf", testdata));
/** The models behind which each of the vendors stands alone. */
export const all = scenarios.every;
/** Those that take images. */
export const sighted = all.filter((model) => !scenarios.blind.includes(model));

const child = spawn(process.env.VENDORS!, { stdio: ["pipe", "pipe", "inherit"] });
after(() => child.stdin.end());
const line = await new Promise<string>((resolve, reject) => {
  createInterface(child.stdout).once("line", resolve);
  child.once("exit", () => reject(new Error("the program vendors ended, want its addresses")));
});
const { gateway, control } = JSON.parse(line) as { gateway: string; control: string };

export { gateway };

async function call<T>(path: string, body?: unknown): Promise<T> {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(control + path, init);
  assert.equal(answer.status, 200, path);
  return (await answer.json()) as T;
}

export const reset = () => call("/reset", {});
export const fault = (vendor: Vendor, kind: string, once = false) => call("/fault", { vendor, kind, once });
export const replies = (vendor: Vendor, ...list: Reply[]) => call("/replies", { vendor, replies: list });
export const journal = (vendor: Vendor) => call<Seen[]>(`/journal?vendor=${vendor}`);

export async function counts(): Promise<Partial<Record<Vendor, number>>> {
  return { openai: (await journal("openai")).length, anthropic: (await journal("anthropic")).length };
}

/** Waits until the vendor has seen its client leave, which must be within a second. */
export async function cancelled(vendor: Vendor, left: number): Promise<void> {
  while (Date.now() - left < 5000) {
    const seen = (await journal(vendor)).at(-1);
    if (seen?.cancelled) {
      assert.ok(seen.cancelled - left < 1000, `cancelled after ${seen.cancelled - left} ms, want at most 1000`);
      return;
    }
    await sleep(50);
  }
  assert.fail("the call to the vendor is still open after 5 s, want it cancelled");
}

export function vendorOf(model: string): Vendor {
  return model.split("-")[0] as Vendor;
}

export function runTool(name: string, args: unknown): string {
  return scenarios.tools.results[name]!.replace("{city}", (args as { city?: string }).city ?? "");
}
