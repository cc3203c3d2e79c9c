// OpenAI's SDK: with its own vendor behind the gateway, and with the other one.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI, { AzureOpenAI } from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import type {
  ChatCompletion, ChatCompletionContentPart, ChatCompletionCreateParamsNonStreaming, ChatCompletionMessage,
  ChatCompletionMessageParam, ChatCompletionTool, ParsedChatCompletionMessage,
} from "openai/resources/chat/completions";
import { z } from "zod";
import {
  all, cancelled, counts, fault, gateway, journal, page, pixel, replies, reset, runTool, scenarios, vendorOf,
} from "./stage.js";

const routes = scenarios.routes.openai;
const both = [routes.own, routes.other];
const sides = ["own", "other"] as const;
const tools: ChatCompletionTool[] = [
  { type: "function", function: { name: "weather", description: "Tells the weather.", parameters: {
    type: "object", properties: { city: { type: "string" } }, required: ["city"] } } },
  { type: "function", function: { name: "now", description: "Tells the time." } },
];
const classes: Record<number, new (...args: never[]) => Error> = {
  400: OpenAI.BadRequestError, 404: OpenAI.NotFoundError, 409: OpenAI.ConflictError, 413: OpenAI.APIError,
  422: OpenAI.UnprocessableEntityError, 429: OpenAI.RateLimitError, 500: OpenAI.InternalServerError,
  502: OpenAI.InternalServerError, 503: OpenAI.InternalServerError, 529: OpenAI.InternalServerError,
};
const City = z.object({ name: z.string(), people: z.number(), rivers: z.array(z.string()) });

const options = { baseURL: `${gateway}/v1`, apiKey: "client-key" };
const client = new OpenAI({ ...options, maxRetries: 0 });
const retrying = new OpenAI(options);

type Params = ChatCompletionCreateParamsNonStreaming;
const asks: Record<string, (params: Params) => Promise<ChatCompletion>> = {
  unary: (params) => client.chat.completions.create(params),
  stream: (params) => client.chat.completions
    .stream({ ...params, stream: true, stream_options: { include_usage: true } }).finalChatCompletion(),
};

const params = (model: string, content: string | ChatCompletionContentPart[]): Params =>
  ({ model, messages: [{ role: "user", content }] });

/** Plays a scenario with both vendors, and the main ones with every vendor, unary and streamed. */
function each(name: string, scenario: (model: string, ask: (params: Params) => Promise<ChatCompletion>) => Promise<void>) {
  for (const model of ["text", "tools", "limit"].includes(name) ? all : both) {
    for (const [way, ask] of Object.entries(asks)) test(`${name} ${model} ${way}`, () => scenario(model, ask));
  }
}

beforeEach(reset);

for (const model of both) {
  for (const deployment of [undefined, model]) {
    test(`azure ${model} ${deployment ? "one deployment" : "deployments"}`, async () => {
      const azure = new AzureOpenAI({ endpoint: gateway, apiVersion: "2024-10-21", apiKey: "client-key", deployment, maxRetries: 0 });
      const answer = await azure.chat.completions.create(params(model, "Guten Tag"));
      assert.equal(answer.choices[0]!.message.content, "You said: Guten Tag");
      const stream = await azure.chat.completions.create({ ...params(model, "Guten Tag"), stream: true });
      let text = "";
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
      assert.equal(text, "You said: Guten Tag");
    });
  }
}

each("text", async (model, ask) => {
  const answer = await ask({ model, messages: [
    { role: "system", content: "Be brief." }, { role: "user", content: "Guten Tag, Łódź ☀" }] });
  assert.equal(answer.choices[0]!.message.content, "You said: Guten Tag, Łódź ☀");
  assert.equal(answer.choices[0]!.finish_reason, "stop");
  assert.ok(answer.id && answer.created > 1.7e9, `id ${answer.id}, created ${answer.created}`);
});

each("usage", async (model, ask) => {
  await replies(vendorOf(model), scenarios.usage.reply);
  const u = (await ask(params(model, "Count."))).usage!;
  const got = { prompt: u.prompt_tokens, completion: u.completion_tokens, total: u.total_tokens,
    cached: u.prompt_tokens_details?.cached_tokens };
  assert.deepEqual(got, scenarios.usage.openai);
});

/** The answer as part of the next question, without what only the SDK's accumulator knows. */
function replayed(message: ChatCompletionMessage): ChatCompletionMessageParam {
  const { parsed: _parsed, annotations: _annotations, tool_calls, ...rest } = message as ParsedChatCompletionMessage<null>;
  const calls = tool_calls?.map((call) => {
    assert.ok(call.type === "function");
    return { id: call.id, type: call.type, function: { name: call.function.name, arguments: call.function.arguments } };
  });
  return { ...rest, ...(calls?.length && { tool_calls: calls }) };
}

async function toolLoop(model: string, ask: (params: Params) => Promise<ChatCompletion>, before = async (_turn: number) => {}) {
  const messages: ChatCompletionMessageParam[] = [{ role: "user", content: "Weather and time?" }];
  const calls: string[] = [];
  let last: string | null = null;
  for (let turn = 1; turn <= 3; turn++) {
    await before(turn);
    const message = (await ask({ model, messages, tools })).choices[0]!.message;
    messages.push(replayed(message));
    for (const call of message.tool_calls ?? []) {
      assert.ok(call.type === "function");
      const result = runTool(call.function.name, JSON.parse(call.function.arguments));
      calls.push(`${turn} ${call.function.name}: ${result}`);
      messages.push({ role: "tool", tool_call_id: call.id, content: result });
    }
    last = message.content;
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
    await replies("openai", scenarios.tools.turns[0]);
    await replies("anthropic", scenarios.tools.turns[1]);
    await toolLoop(routes.first, ask, async (turn) => {
      if (turn === 2) await fault("openai", "internal-500");
    });
    assert.deepEqual(await counts(), { openai: 3, anthropic: 2 });
  });
}

const media: Record<string, [ChatCompletionContentPart, string]> = {
  "image": [{ type: "image_url", image_url: { url: `data:image/png;base64,${pixel.toString("base64")}` } },
    `image/png of ${pixel.length} bytes`],
  "image by URL": [{ type: "image_url", image_url: { url: "https://example.com/a.png" } }, "image at https://example.com/a.png"],
  "document": [{ type: "file", file: { filename: "page.pdf", file_data: `data:application/pdf;base64,${page.toString("base64")}` } },
    `application/pdf of ${page.length} bytes`],
};

for (const [kind, [part, seen]] of Object.entries(media)) {
  each(kind, async (model, ask) => {
    const answer = await ask(params(model, [{ type: "text", text: "What is it?" }, part]));
    assert.equal(answer.choices[0]!.message.content, `I see ${seen}. You said: What is it?`);
  });
}

for (const model of both) {
  test(`schema ${model}`, async () => {
    const asked = { ...params(model, "A city."), response_format: zodResponseFormat(City, "city") };
    const unary = await client.chat.completions.parse(asked);
    const streamed = await client.chat.completions.stream({ ...asked, stream: true }).finalChatCompletion();
    for (const answer of [unary, streamed]) {
      const city = answer.choices[0]!.message.parsed!;
      assert.ok(city.people === 7 && city.rivers.length > 0);
    }
  });
}

each("citations", async (model, ask) => {
  await replies(vendorOf(model), scenarios.citations.reply);
  const { content, annotations } = (await ask(params(model, "Does it rain?"))).choices[0]!.message;
  assert.equal(content, "It rains.");
  assert.deepEqual(annotations?.map((note) => note.url_citation.url), scenarios.citations.urls);
});

for (const then of both) {
  for (const [way, ask] of Object.entries(asks)) {
    // Thoughts of the other vendor are shown, and may come back to either in the next turn.
    test(`thinking then ${then} ${way}`, async () => {
      await replies("anthropic", scenarios.thinking.tools);
      const asked = { ...params(routes.other, "What time is it?"), tools };
      const message = (await ask({ ...asked, reasoning_effort: "high" })).choices[0]!.message;
      const thought = (message as { reasoning_content?: string }).reasoning_content;
      // The SDK's accumulator keeps the last piece of a field that it does not know.
      assert.ok(thought && scenarios.thinking.thought.endsWith(thought) && (way === "stream" || thought === scenarios.thinking.thought));
      assert.ok((await journal("anthropic"))[0]!.body.thinking);
      const result = { role: "tool" as const, tool_call_id: message.tool_calls![0]!.id, content: "noon" };
      const answer = await ask({ ...asked, model: then, messages: [...asked.messages, replayed(message), result] });
      assert.equal(answer.choices[0]!.message.content, scenarios.thinking.said);
    });
  }
}

test("effort", async () => {
  await asks.unary!({ ...params("openai/gpt-5", "Hello"), reasoning_effort: "low" });
  assert.equal((await journal("openai"))[0]!.body.reasoning_effort, "low");
});

each("stop", async (model, ask) => {
  const choice = (await ask({ ...params(model, "one two tree four"), stop: ["tree", "none"] })).choices[0]!;
  assert.deepEqual([choice.message.content!.trim(), choice.finish_reason], ["You said: one two", "stop"]);
});

each("limit", async (model, ask) => {
  // The streaming helper throws at this finish reason only where something is to be parsed.
  const choice = (await ask({ ...params(model, "one two three four"), max_completion_tokens: 3 })).choices[0]!;
  assert.deepEqual([choice.message.content!.trim(), choice.finish_reason], ["You said: one", "length"]);
});

test("models", async () => {
  const names = new Set<string>();
  for await (const model of client.models.list()) names.add(model.id);
  for (const name of ["openai-only", "anthropic-only", "openai-first", "anthropic-first"]) assert.ok(names.has(name), name);
  assert.equal((await client.models.retrieve("openai-first")).id, "openai-first");
  await assert.rejects(client.models.retrieve("no-such-model"), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create(params("no-such-model", "Hello")), OpenAI.NotFoundError);
});

for (const row of scenarios.errors) {
  for (const side of sides) {
    for (const stream of [false, true]) {
      test(`errors ${row.fault} ${side} ${stream ? "stream" : "unary"}`, async () => {
        const want = row.openai[side];
        await fault(vendorOf(routes[side]), row.fault);
        await assert.rejects(client.chat.completions.create({ ...params(routes[side], "Hello"), stream }), (err) => {
          assert.ok(err instanceof classes[want]! && err instanceof OpenAI.APIError, `${err} is no ${classes[want]!.name}`);
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
      await fault("openai", kind);
      const answer = await asks[way]!(params(routes.first, "Hello"));
      assert.equal(answer.choices[0]!.message.content, "You said: Hello");
      assert.equal((await journal("openai"))[0]!.fault, kind);
    });
  }
}

for (const kind of scenarios.broken) {
  for (const model of both) {
    // A failure after content is an error, never a clean end.
    test(`broken ${kind} ${model}`, async () => {
      await fault(vendorOf(model), kind);
      let chunks = 0;
      await assert.rejects(async () => {
        const asked = { ...params(model, "one two three four five six"), tools, tool_choice: "none" as const };
        for await (const _ of await client.chat.completions.create({ ...asked, stream: true })) chunks++;
      }, OpenAI.APIError);
      assert.ok(chunks > 0);
    });
  }
}

for (const model of both) {
  for (const stream of [false, true]) {
    test(`timeout ${model} ${stream ? "stream" : "unary"}`, async () => {
      await fault(vendorOf(model), "hang");
      const asked = client.chat.completions.create({ ...params(model, "Hello"), stream }, { timeout: 300 });
      await assert.rejects(asked, OpenAI.APIConnectionTimeoutError);
      await cancelled(vendorOf(model), Date.now());
    });
  }

  test(`cancel ${model}`, async () => {
    await fault(vendorOf(model), "stall");
    const stream = await client.chat.completions.create({ ...params(model, "one two three four five six"), stream: true });
    for await (const _ of stream) break;
    await cancelled(vendorOf(model), Date.now());
  });

  test(`abort ${model}`, async () => {
    await fault(vendorOf(model), "hang");
    const controller = new AbortController();
    const asked = client.chat.completions.create(params(model, "Hello"), { signal: controller.signal });
    await Promise.all([
      assert.rejects(asked, OpenAI.APIUserAbortError),
      sleep(300).then(() => controller.abort()),
    ]);
    await cancelled(vendorOf(model), Date.now());
  });

  test(`retries ${model}`, async () => {
    await fault(vendorOf(model), "rate-429-ms", true);
    await assert.rejects(client.chat.completions.create(params(model, "Hello")), OpenAI.RateLimitError);
    await fault(vendorOf(model), "rate-429-ms", true);
    const answer = await retrying.chat.completions.create(params(model, "Hello"));
    assert.equal(answer.choices[0]!.message.content, "You said: Hello");
    assert.equal((await counts())[vendorOf(model)], 3);
  });
}

// When every target has failed, the SDK is told not to try by itself.
test("all down", async () => {
  await fault("openai", "internal-500");
  await fault("anthropic", "internal-500");
  await assert.rejects(retrying.chat.completions.create(params(routes.first, "Hello")), OpenAI.InternalServerError);
  assert.deepEqual(await counts(), { openai: 1, anthropic: 1 });
});

// A client that heartbeats have kept waiting is told in the stream that nobody answers.
test("all silent", async () => {
  await fault("openai", "stall-start");
  await fault("anthropic", "stall-start");
  await assert.rejects(asks.stream!(params(routes.first, "Hello")), OpenAI.APIError);
});
