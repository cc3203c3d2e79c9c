// Anthropic's SDK: with its own vendor behind the gateway, and with the other one.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import type {
  ContentBlockParam, Message, MessageCreateParamsNonStreaming, MessageParam, Tool, ToolResultBlockParam,
} from "@anthropic-ai/sdk/resources/messages";
import { z } from "zod";
import {
  all, cancelled, counts, fault, gateway, journal, page, pixel, replies, reset, runTool, scenarios, vendorOf,
} from "./stage.js";

const routes = scenarios.routes.anthropic;
const both = [routes.own, routes.other];
const sides = ["own", "other"] as const;
const tools: Tool[] = [
  { name: "weather", description: "Tells the weather.", input_schema: {
    type: "object", properties: { city: { type: "string" } }, required: ["city"] } },
  { name: "now", description: "Tells the time.", input_schema: { type: "object", properties: {} } },
];
const classes: Record<number, new (...args: never[]) => Error> = {
  400: Anthropic.BadRequestError, 402: Anthropic.PaymentRequiredError, 404: Anthropic.NotFoundError, 409: Anthropic.ConflictError, 413: Anthropic.APIError,
  422: Anthropic.UnprocessableEntityError, 429: Anthropic.RateLimitError, 500: Anthropic.InternalServerError,
  502: Anthropic.InternalServerError, 503: Anthropic.InternalServerError, 529: Anthropic.InternalServerError,
};
const City = z.object({ name: z.string(), people: z.number(), rivers: z.array(z.string()) });

const options = { baseURL: gateway, apiKey: "client-key" };
const client = new Anthropic({ ...options, maxRetries: 0 });
const retrying = new Anthropic(options);

type Params = MessageCreateParamsNonStreaming;
const asks: Record<string, (params: Params) => Promise<Message>> = {
  unary: (params) => client.messages.create(params),
  stream: (params) => client.messages.stream(params).finalMessage(),
};

const params = (model: string, content: string | ContentBlockParam[]): Params =>
  ({ model, max_tokens: 2048, messages: [{ role: "user", content }] });

const textOf = (message: Message) => message.content.map((block) => (block.type === "text" ? block.text : "")).join("");

/** Plays a scenario with both vendors, and the main ones with every vendor, unary and streamed. */
function each(name: string, scenario: (model: string, ask: (params: Params) => Promise<Message>) => Promise<void>) {
  for (const model of ["text", "tools", "limit"].includes(name) ? all : both) {
    for (const [way, ask] of Object.entries(asks)) test(`${name} ${model} ${way}`, () => scenario(model, ask));
  }
}

beforeEach(reset);

each("text", async (model, ask) => {
  const answer = await ask({ ...params(model, "Guten Tag, Łódź ☀"), system: "Be brief." });
  assert.equal(textOf(answer), "You said: Guten Tag, Łódź ☀");
  assert.deepEqual([answer.content.length, answer.stop_reason], [1, "end_turn"]);
});

each("usage", async (model, ask) => {
  await replies(vendorOf(model), scenarios.usage.reply);
  const u = (await ask(params(model, "Count."))).usage;
  const got = { input: u.input_tokens, output: u.output_tokens, cacheRead: u.cache_read_input_tokens,
    cacheWrite: u.cache_creation_input_tokens };
  assert.deepEqual(got, scenarios.usage.anthropic);
});

async function toolLoop(model: string, ask: (params: Params) => Promise<Message>, before = async (_turn: number) => {}) {
  const messages: MessageParam[] = [{ role: "user", content: "Weather and time?" }];
  const calls: string[] = [];
  let last = "";
  for (let turn = 1; turn <= 3; turn++) {
    await before(turn);
    const message = await ask({ model, max_tokens: 2048, messages, tools });
    const results: ToolResultBlockParam[] = [];
    for (const block of message.content) {
      if (block.type !== "tool_use") continue;
      const result = runTool(block.name, block.input);
      calls.push(`${turn} ${block.name}: ${result}`);
      results.push({ type: "tool_result", tool_use_id: block.id, content: result });
    }
    messages.push({ role: "assistant", content: message.content }, { role: "user", content: results });
    last = textOf(message);
  }
  assert.deepEqual(calls, ["1 weather: rain in Oslo", "1 now: noon", '2 weather: rain in Łódź "old"', "2 weather: rain in Bern"]);
  assert.equal(last, scenarios.tools.said);
}

each("tools", async (model, ask) => {
  await replies(vendorOf(model), ...scenarios.tools.turns);
  await toolLoop(model, ask);
});

for (const [way, ask] of Object.entries(asks)) {
  // The lead fails in the middle of the loop; the understudy takes its history over.
  test(`tools failover ${way}`, async () => {
    await replies("anthropic", scenarios.tools.turns[0]);
    await replies("openai", scenarios.tools.turns[1]);
    await toolLoop(routes.first, ask, async (turn) => {
      if (turn === 2) await fault("anthropic", "internal-500");
    });
    assert.deepEqual(await counts(), { openai: 2, anthropic: 3 });
  });
}

const media: Record<string, [ContentBlockParam, string]> = {
  "image": [{ type: "image", source: { type: "base64", media_type: "image/png", data: pixel.toString("base64") } },
    `image/png of ${pixel.length} bytes`],
  "image by URL": [{ type: "image", source: { type: "url", url: "https://example.com/a.png" } }, "image at https://example.com/a.png"],
  "document": [{ type: "document", source: { type: "base64", media_type: "application/pdf", data: page.toString("base64") } },
    `application/pdf of ${page.length} bytes`],
};

for (const [kind, [part, seen]] of Object.entries(media)) {
  each(kind, async (model, ask) => {
    const answer = await ask(params(model, [part, { type: "text", text: "What is it?" }]));
    assert.equal(textOf(answer), `I see ${seen}. You said: What is it?`);
  });
}

// Only one of the vendors fetches documents: the other one is not asked to guess.
test("document by URL", async () => {
  const document: ContentBlockParam[] = [{ type: "document", source: { type: "url", url: "https://example.com/a.pdf" } }];
  assert.match(textOf(await client.messages.create(params(routes.own, document))), /https:\/\/example\.com\/a\.pdf/);
  await assert.rejects(client.messages.create(params(routes.other, document)), Anthropic.BadRequestError);
  assert.equal((await counts()).openai, 0);
});

for (const model of both) {
  test(`schema ${model}`, async () => {
    const asked = { ...params(model, "A city."), output_config: { format: zodOutputFormat(City) } };
    for (const answer of [await client.messages.parse(asked), await client.messages.stream(asked).finalMessage()]) {
      const city = answer.parsed_output!;
      assert.ok(city.people === 7 && city.rivers.length > 0);
    }
  });
}

// Those of the other vendor lack what this one's have, and are dropped with a report.
each("citations", async (model, ask) => {
  await replies(vendorOf(model), scenarios.citations.reply);
  const answer = await ask(params(model, "Does it rain?"));
  assert.equal(textOf(answer), "It rains.");
  const urls = answer.content.flatMap((block) => (block.type === "text" ? block.citations ?? [] : []))
    .map((citation) => citation.type === "web_search_result_location" && citation.url);
  assert.deepEqual(urls, model === routes.own ? scenarios.citations.urls : []);
});

for (const then of both) {
  // Thoughts of either vendor are shown, and may come back to either in the next turn.
  each(`thinking then ${then}`, async (first, ask) => {
    await replies(vendorOf(first), scenarios.thinking.tools);
    const asked: Params = { ...params(first, "What time is it?"), tools, thinking: { type: "enabled", budget_tokens: 1024 } };
    const message = await ask(asked);
    const [thought, call] = message.content;
    assert.ok(thought?.type === "thinking" && call?.type === "tool_use", JSON.stringify(message.content));
    assert.equal(thought.thinking, scenarios.thinking.thought);
    const next: Params = { ...asked, model: then, messages: [...asked.messages, { role: "assistant", content: message.content },
      { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "noon" }] }] };
    // The vendor wants its own thoughts back while it thinks, and there may be none.
    if (first !== then && then === routes.own) delete next.thinking;
    assert.equal(textOf(await ask(next)), scenarios.thinking.said);
  });
}

// OpenAI does not tell a stop sequence from a natural end.
each("stop", async (model, ask) => {
  const answer = await ask({ ...params(model, "one two tree four"), stop_sequences: ["tree", "none"] });
  assert.equal(textOf(answer).trim(), "You said: one two");
  const want = model === routes.own ? ["stop_sequence", "tree"] : ["end_turn", null];
  assert.deepEqual([answer.stop_reason, answer.stop_sequence], want);
});

each("limit", async (model, ask) => {
  const answer = await ask({ ...params(model, "one two three four"), max_tokens: 3 });
  assert.deepEqual([textOf(answer).trim(), answer.stop_reason], ["You said: one", "max_tokens"]);
});

test("models", async () => {
  const names = new Set<string>();
  for await (const model of client.models.list()) names.add(model.id);
  for (const name of ["openai-only", "anthropic-only", "openai-first", "anthropic-first"]) assert.ok(names.has(name), name);
  assert.equal((await client.models.retrieve("openai-first")).id, "openai-first");
  await assert.rejects(client.models.retrieve("no-such-model"), Anthropic.NotFoundError);
  await assert.rejects(client.messages.create(params("no-such-model", "Hello")), Anthropic.NotFoundError);
});

for (const row of scenarios.errors) {
  for (const side of sides) {
    for (const stream of [false, true]) {
      test(`errors ${row.fault} ${side} ${stream ? "stream" : "unary"}`, async () => {
        const want = row.anthropic[side];
        await fault(vendorOf(routes[side]), row.fault);
        await assert.rejects(client.messages.create({ ...params(routes[side], "Hello"), stream }), (err) => {
          assert.ok(err instanceof classes[want]! && err instanceof Anthropic.APIError, `${err} is no ${classes[want]!.name}`);
          assert.equal(err.status, want);
          assert.ok(err.requestID && err.type && err.message);
          assert.ok(!JSON.stringify(err.error).includes("vendor-secret"));
          return true;
        });
      });
    }
  }
}

for (const [way, kinds] of Object.entries(scenarios.failover)) {
  for (const kind of kinds) {
    test(`failover ${way} ${kind}`, async () => {
      await fault("anthropic", kind);
      assert.equal(textOf(await asks[way]!(params(routes.first, "Hello"))), "You said: Hello");
      assert.equal((await journal("anthropic"))[0]!.fault, kind);
    });
  }
}

for (const kind of scenarios.broken) {
  for (const model of both) {
    // A failure after content is an error, never a clean end.
    test(`broken ${kind} ${model}`, async () => {
      await fault(vendorOf(model), kind);
      const seen: string[] = [];
      await assert.rejects(async () => {
        const asked = { ...params(model, "one two three four five six"), tools, tool_choice: { type: "none" as const } };
        for await (const event of await client.messages.create({ ...asked, stream: true })) seen.push(event.type);
      }, Anthropic.APIError);
      assert.ok(seen.includes("content_block_delta") && !seen.includes("message_stop"), seen.join());
    });
  }
}

for (const model of both) {
  for (const stream of [false, true]) {
    test(`timeout ${model} ${stream ? "stream" : "unary"}`, async () => {
      await fault(vendorOf(model), "hang");
      const asked = client.messages.create({ ...params(model, "Hello"), stream }, { timeout: 300 });
      await assert.rejects(asked, Anthropic.APIConnectionTimeoutError);
      await cancelled(vendorOf(model), Date.now());
    });
  }

  test(`cancel ${model}`, async () => {
    await fault(vendorOf(model), "stall");
    const stream = client.messages.stream(params(model, "one two three four five six"));
    for await (const event of stream) if (event.type === "content_block_delta") break;
    await cancelled(vendorOf(model), Date.now());
  });

  test(`abort ${model}`, async () => {
    await fault(vendorOf(model), "hang");
    const controller = new AbortController();
    const asked = client.messages.create(params(model, "Hello"), { signal: controller.signal });
    await Promise.all([
      assert.rejects(asked, Anthropic.APIUserAbortError),
      sleep(300).then(() => controller.abort()),
    ]);
    await cancelled(vendorOf(model), Date.now());
  });

  test(`retries ${model}`, async () => {
    await fault(vendorOf(model), "rate-429-ms", true);
    await assert.rejects(client.messages.create(params(model, "Hello")), Anthropic.RateLimitError);
    await fault(vendorOf(model), "rate-429-ms", true);
    assert.equal(textOf(await retrying.messages.create(params(model, "Hello"))), "You said: Hello");
    assert.equal((await counts())[vendorOf(model)], 3);
  });
}

// When every target has failed, the SDK is told not to try by itself.
test("all down", async () => {
  await fault("openai", "internal-500");
  await fault("anthropic", "internal-500");
  await assert.rejects(retrying.messages.create(params(routes.first, "Hello")), Anthropic.InternalServerError);
  assert.deepEqual(await counts(), { openai: 1, anthropic: 1 });
});

// A client that heartbeats have kept waiting is told in the stream that nobody answers.
test("all silent", async () => {
  await fault("openai", "stall-start");
  await fault("anthropic", "stall-start");
  await assert.rejects(asks.stream!(params(routes.first, "Hello")), Anthropic.APIError);
});
