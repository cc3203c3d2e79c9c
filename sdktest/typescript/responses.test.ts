// OpenAI's SDK with the Responses API: served by OpenAI and by every other vendor.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import type {
  Response, ResponseCreateParamsNonStreaming, ResponseFunctionToolCall, ResponseInputItem, Tool,
} from "openai/resources/responses/responses";
import { z } from "zod";
import { all, counts, fault, gateway, pixel, replies, reset, runTool, scenarios, sighted, vendorOf } from "./stage.js";

const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: "client-key", maxRetries: 0 });
const tool = (name: string, description: string, parameters: Record<string, unknown>): Tool =>
  ({ type: "function", name, description, strict: true, parameters: { ...parameters, type: "object", additionalProperties: false } });
const now = tool("now", "Tells the time.", { properties: {}, required: [] });
const tools = [tool("weather", "Tells the weather.", { properties: { city: { type: "string" } }, required: ["city"] }), now];
const City = z.object({ name: z.string(), people: z.number(), rivers: z.array(z.string()) });

type Params = ResponseCreateParamsNonStreaming;
const asks: Record<string, (params: Params) => Promise<Response>> = {
  unary: (params) => client.responses.create({ ...params, store: false }),
  stream: async (params) => {
    let shown = "";
    for await (const event of client.responses.stream({ ...params, stream: true, store: false })) {
      if (event.type === "response.output_text.delta") shown += event.delta;
      if (event.type === "response.completed" || event.type === "response.incomplete") {
        assert.equal(shown, text(event.response));
        return event.response;
      }
    }
    throw new Error("the stream ended without an answer");
  },
};

function text(response: Response): string {
  return response.output.flatMap((item) => (item.type === "message" ? item.content : []))
    .map((part) => (part.type === "output_text" ? part.text : "")).join("");
}

const callsOf = (response: Response) => response.output.filter((item): item is ResponseFunctionToolCall => item.type === "function_call");

/** Plays a scenario with every vendor, unary and streamed. */
function each(name: string, scenario: (model: string, ask: (params: Params) => Promise<Response>) => Promise<void>) {
  for (const model of all) {
    for (const [way, ask] of Object.entries(asks)) test(`${name} ${model} ${way}`, () => scenario(model, ask));
  }
}

beforeEach(reset);

each("text", async (model, ask) => {
  const answer = await ask({ model, input: "Guten Tag, Łódź ☀", instructions: "Be brief." });
  assert.equal(text(answer), "You said: Guten Tag, Łódź ☀");
  assert.equal(answer.status, "completed");
  assert.ok(answer.usage!.total_tokens > 0);
});

each("tools", async (model, ask) => {
  await replies(vendorOf(model), ...scenarios.tools.turns);
  const input: ResponseInputItem[] = [{ role: "user", content: "Weather and time?" }];
  const names: string[] = [];
  let said = "";
  for (let turn = 0; turn < 3; turn++) {
    const answer = await ask({ model, input, tools });
    input.push(...(answer.output as ResponseInputItem[]));
    for (const call of callsOf(answer)) {
      names.push(call.name);
      input.push({ type: "function_call_output", call_id: call.call_id, output: runTool(call.name, JSON.parse(call.arguments)) });
    }
    said = text(answer);
  }
  assert.deepEqual(names, ["weather", "now", "weather", "weather"]);
  assert.equal(said, scenarios.tools.said);
});

for (const [way, ask] of Object.entries(asks)) {
  for (const then of ["openai/gpt-5", "anthropic-only"]) {
    // Thoughts are shown, and may come back to any vendor in the next turn.
    test(`reasoning then ${then} ${way}`, async () => {
      await replies("anthropic", scenarios.thinking.tools);
      const asked = { tools: [now], reasoning: { effort: "high", summary: "auto" }, include: ["reasoning.encrypted_content"] } satisfies Partial<Params>;
      const question: ResponseInputItem = { role: "user", content: "What time is it?" };
      const answer = await ask({ ...asked, model: "anthropic-only", input: [question] });
      const thoughts = answer.output.flatMap((item) => (item.type === "reasoning" ? item.summary : []));
      assert.equal(thoughts.map((part) => part.text).join(""), scenarios.thinking.thought);
      const result = { type: "function_call_output" as const, call_id: callsOf(answer)[0]!.call_id, output: "noon" };
      const next = await ask({ ...asked, model: then, input: [question, ...(answer.output as ResponseInputItem[]), result] });
      assert.equal(text(next), scenarios.thinking.said);
    });
  }
}

for (const model of all) {
  test(`schema ${model}`, async () => {
    const answer = await client.responses.parse({ model, input: "A city.", store: false, text: { format: zodTextFormat(City, "city") } });
    assert.ok(answer.output_parsed!.people === 7 && answer.output_parsed!.rivers.length > 0);
  });

  for (const [kind, raises] of [
    ["invalid-400", OpenAI.BadRequestError], ["rate-429-none", OpenAI.RateLimitError], ["internal-500", OpenAI.InternalServerError]] as const) {
    test(`errors ${kind} ${model}`, async () => {
      await fault(vendorOf(model), kind);
      for (const stream of [false, true]) {
        await assert.rejects(client.responses.create({ model, input: "Hello", store: false, stream }), raises);
      }
    });
  }
}

for (const model of sighted) {
  test(`image ${model}`, async () => {
    const image = { type: "input_image" as const, detail: "auto" as const, image_url: `data:image/png;base64,${pixel.toString("base64")}` };
    const answer = await asks.unary!({ model, input: [{ role: "user", content: [{ type: "input_text", text: "Look." }, image] }] });
    assert.equal(text(answer), `I see image/png of ${pixel.length} bytes. You said: Look.`);
  });
}

for (const [way, ask] of Object.entries(asks)) {
  test(`failover ${way}`, async () => {
    await fault("openai", "overloaded-529");
    assert.equal(text(await ask({ model: "openai-first", input: "Hello" })), "You said: Hello");
    assert.deepEqual(await counts(), { openai: 1, anthropic: 1 });
  });
}
