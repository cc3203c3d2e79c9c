// Cohere's SDK: served by Cohere and by every other vendor.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CohereClientV2, CohereError, type Cohere } from "cohere-ai";
import { all, fault, gateway, journal, replies, reset, runTool, scenarios, vendorOf } from "./stage.js";

const client = new CohereClientV2({ token: "client-key", environment: gateway, maxRetries: 0 });
const tools: Cohere.ToolV2[] = [
  { type: "function", function: { name: "weather", description: "Tells the weather.", parameters: {
    type: "object", properties: { city: { type: "string" } }, required: ["city"] } } },
  { type: "function", function: { name: "now", description: "Tells the time.", parameters: { type: "object", properties: {} } } },
];

interface Answer { text: string; plan?: string; calls: Cohere.ToolCallV2[]; finish?: string }
type Ask = (params: Cohere.V2ChatRequest) => Promise<Answer>;

const asks: Record<string, Ask> = {
  unary: async (params) => {
    const { message, finishReason } = await client.chat(params);
    const text = (message.content ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
    return { text, plan: message.toolPlan, calls: message.toolCalls ?? [], finish: finishReason };
  },
  stream: async (params) => {
    const answer: Answer = { text: "", calls: [] };
    for await (const event of await client.chatStream(params)) {
      if (event.type === "content-delta") answer.text += event.delta?.message?.content?.text ?? "";
      if (event.type === "tool-plan-delta") answer.plan = (answer.plan ?? "") + event.delta?.message?.toolPlan;
      if (event.type === "tool-call-start") answer.calls.push(event.delta!.message!.toolCalls!);
      if (event.type === "tool-call-delta") {
        answer.calls.at(-1)!.function!.arguments += event.delta?.message?.toolCalls?.function?.arguments ?? "";
      }
      if (event.type === "message-end") answer.finish = event.delta?.finishReason;
    }
    return answer;
  },
};

/** Plays a scenario with every vendor, unary and streamed. */
function each(name: string, scenario: (model: string, ask: Ask) => Promise<void>) {
  for (const model of all) {
    for (const [way, ask] of Object.entries(asks)) test(`${name} ${model} ${way}`, () => scenario(model, ask));
  }
}

const user = (content: string): Cohere.ChatMessageV2 => ({ role: "user", content });

beforeEach(reset);

each("text", async (model, ask) => {
  const answer = await ask({ model, messages: [{ role: "system", content: "Be brief." }, user("Guten Tag, Łódź ☀")] });
  assert.deepEqual([answer.text, answer.finish], ["You said: Guten Tag, Łódź ☀", "COMPLETE"]);
});

each("tools", async (model, ask) => {
  await replies(vendorOf(model), ...scenarios.tools.turns);
  const messages: Cohere.ChatMessageV2[] = [user("Weather and time?")];
  const names: string[] = [];
  let said = "";
  for (let turn = 0; turn < 3; turn++) {
    const answer = await ask({ model, messages, tools });
    if (answer.calls.length) messages.push({ role: "assistant", toolPlan: answer.plan, toolCalls: answer.calls });
    for (const { id, function: call } of answer.calls) {
      names.push(call!.name!);
      messages.push({ role: "tool", toolCallId: id!, content: runTool(call!.name!, JSON.parse(call!.arguments!)) });
    }
    said = answer.text;
  }
  assert.deepEqual(names, ["weather", "now", "weather", "weather"]);
  assert.ok(said.includes("rain in Łódź") && said.includes("rain in Bern"), said);
});

each("limit", async (model, ask) => {
  const answer = await ask({ model, messages: [user("one two three four")], maxTokens: 3 });
  assert.deepEqual([answer.text.trim(), answer.finish], ["You said: one", "MAX_TOKENS"]);
});

for (const model of all) {
  for (const [kind, status] of [["invalid-400", 400], ["rate-429-none", 429], ["internal-500", 500]] as const) {
    test(`errors ${kind} ${model}`, async () => {
      await fault(vendorOf(model), kind);
      for (const ask of Object.values(asks)) {
        await assert.rejects(ask({ model, messages: [user("Hello")] }), (err) => err instanceof CohereError && err.statusCode === status);
      }
    });
  }
}

for (const [way, ask] of Object.entries(asks)) {
  test(`failover ${way}`, async () => {
    await fault("cohere", "overloaded-529");
    assert.equal((await ask({ model: "cohere-first", messages: [user("Hello")] })).text, "You said: Hello");
    assert.deepEqual([(await journal("cohere")).length, (await journal("openai")).length], [1, 1]);
  });
}

test("models", async () => {
  const names = new Set((await client.models.list()).models.map((model) => model.name));
  for (const model of all) assert.ok(names.has(model), model);
});
