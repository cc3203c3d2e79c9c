// Ollama's SDK: served by an Ollama and by every vendor.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Ollama, type ChatRequest, type ChatResponse, type Message, type Tool } from "ollama";
import { all, fault, gateway, journal, pixel, replies, reset, runTool, scenarios, sighted, vendorOf } from "./stage.js";

const client = new Ollama({ host: gateway, headers: { Authorization: "Bearer client-key" } });
const tools: Tool[] = [
  { type: "function", function: { name: "weather", description: "Tells the weather.", parameters: {
    type: "object", properties: { city: { type: "string" } }, required: ["city"] } } },
  { type: "function", function: { name: "now", description: "Tells the time.", parameters: { type: "object", properties: {} } } },
];

type Ask = (params: ChatRequest) => Promise<ChatResponse>;
const asks: Record<string, Ask> = {
  unary: (params) => client.chat({ ...params, stream: false }),
  stream: async (params) => {
    const message: Message = { role: "assistant", content: "" };
    let last: ChatResponse | undefined;
    for await (const piece of await client.chat({ ...params, stream: true })) {
      message.content += piece.message.content;
      if (piece.message.thinking) message.thinking = (message.thinking ?? "") + piece.message.thinking;
      if (piece.message.tool_calls) message.tool_calls = [...(message.tool_calls ?? []), ...piece.message.tool_calls];
      last = piece;
    }
    return { ...last!, message };
  },
};

/** Plays a scenario with every vendor, unary and streamed. */
function each(name: string, scenario: (model: string, ask: Ask) => Promise<void>) {
  for (const model of all) {
    for (const [way, ask] of Object.entries(asks)) test(`${name} ${model} ${way}`, () => scenario(model, ask));
  }
}

const user = (content: string): Message => ({ role: "user", content });

beforeEach(reset);

each("text", async (model, ask) => {
  const answer = await ask({ model, messages: [{ role: "system", content: "Be brief." }, user("Guten Tag, Łódź ☀")] });
  assert.deepEqual([answer.message.content, answer.done, answer.done_reason], ["You said: Guten Tag, Łódź ☀", true, "stop"]);
  assert.ok(answer.eval_count > 0);
});

each("tools", async (model, ask) => {
  await replies(vendorOf(model), ...scenarios.tools.turns);
  const messages = [user("Weather and time?")];
  const names: string[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const { message } = await ask({ model, messages, tools });
    messages.push(message);
    for (const { function: call } of message.tool_calls ?? []) {
      names.push(call.name);
      messages.push({ role: "tool", tool_name: call.name, content: runTool(call.name, call.arguments) });
    }
  }
  assert.deepEqual(names, ["weather", "now", "weather", "weather"]);
  assert.equal(messages.at(-1)!.content, scenarios.tools.said);
});

each("schema", async (model, ask) => {
  const format = { type: "object", properties: { people: { type: "integer" } }, required: ["people"] };
  const answer = await ask({ model, messages: [user("A city.")], format });
  assert.deepEqual(JSON.parse(answer.message.content), { people: 7 });
});

for (const [way, ask] of Object.entries(asks)) {
  for (const model of ["ollama-only", "anthropic-only", "gemini-only"]) {
    test(`thinking ${model} ${way}`, async () => {
      await replies(vendorOf(model), { Thinking: "First I think.", Text: "Then I answer." });
      const { message } = await ask({ model, messages: [user("Think.")], think: true });
      assert.deepEqual([message.thinking, message.content], ["First I think.", "Then I answer."]);
    });
  }

  test(`failover ${way}`, async () => {
    await fault("ollama", "internal-500");
    assert.equal((await ask({ model: "ollama-first", messages: [user("Hello")] })).message.content, "You said: Hello");
    assert.deepEqual([(await journal("ollama")).length, (await journal("openai")).length], [1, 1]);
  });
}

for (const model of sighted) {
  test(`image ${model}`, async () => {
    const answer = await asks.unary!({ model, messages: [{ ...user("Look."), images: [pixel] }] });
    assert.equal(answer.message.content, `I see image/png of ${pixel.length} bytes. You said: Look.`);
  });
}

for (const model of all) {
  for (const [kind, status] of [["invalid-400", 400], ["rate-429-none", 429], ["internal-500", 500]] as const) {
    test(`errors ${kind} ${model}`, async () => {
      await fault(vendorOf(model), kind);
      for (const ask of Object.values(asks)) {
        await assert.rejects(ask({ model, messages: [user("Hello")] }), { name: "ResponseError", status_code: status });
      }
    });
  }
}

test("models", async () => {
  const names = new Set((await client.list()).models.map((model) => model.model));
  for (const model of all) assert.ok(names.has(model), model);
});
