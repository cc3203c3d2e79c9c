// Google's SDK: served by Gemini and by every other vendor.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  ApiError, FinishReason, GoogleGenAI, ThinkingLevel, Type,
  type Content, type GenerateContentParameters, type GenerateContentResponse, type Tool,
} from "@google/genai";
import { all, fault, gateway, journal, pixel, replies, reset, runTool, scenarios, sighted, vendorOf } from "./stage.js";

const { models } = new GoogleGenAI({ apiKey: "client-key", httpOptions: { baseUrl: gateway } });
const tools: Tool[] = [{ functionDeclarations: [
  { name: "weather", description: "Tells the weather.", parameters: {
    type: Type.OBJECT, properties: { city: { type: Type.STRING } }, required: ["city"] } },
  { name: "now", description: "Tells the time." },
] }];

type Ask = (params: GenerateContentParameters) => Promise<GenerateContentResponse>;
const asks: Record<string, Ask> = {
  unary: (params) => models.generateContent(params),
  stream: async (params) => {
    const parts = [];
    let last: GenerateContentResponse | undefined;
    for await (const chunk of await models.generateContentStream(params)) {
      parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
      last = chunk;
    }
    last!.candidates![0]!.content = { role: "model", parts };
    return last!;
  },
};

/** Plays a scenario with every vendor, unary and streamed. */
function each(name: string, scenario: (model: string, ask: Ask) => Promise<void>) {
  for (const model of all) {
    for (const [way, ask] of Object.entries(asks)) test(`${name} ${model} ${way}`, () => scenario(model, ask));
  }
}

beforeEach(reset);

each("text", async (model, ask) => {
  const answer = await ask({ model, contents: "Guten Tag, Łódź ☀", config: { systemInstruction: "Be brief." } });
  assert.equal(answer.text, "You said: Guten Tag, Łódź ☀");
  assert.equal(answer.candidates![0]!.finishReason, FinishReason.STOP);
  assert.ok(answer.responseId && answer.usageMetadata!.totalTokenCount! > 0);
});

/** Answers the calls of an answer, as the next turns of the conversation. */
function results(answer: GenerateContentResponse): Content[] {
  const parts = (answer.functionCalls ?? []).map(({ id, name, args }) =>
    ({ functionResponse: { id, name: name!, response: { output: runTool(name!, args) } } }));
  return [answer.candidates![0]!.content!, ...(parts.length ? [{ role: "user", parts }] : [])];
}

each("tools", async (model, ask) => {
  await replies(vendorOf(model), ...scenarios.tools.turns);
  const contents: Content[] = [{ role: "user", parts: [{ text: "Weather and time?" }] }];
  const names: string[] = [];
  let said = "";
  for (let turn = 0; turn < 3; turn++) {
    const answer = await ask({ model, contents, config: { tools } });
    names.push(...(answer.functionCalls ?? []).map((call) => call.name!));
    contents.push(...results(answer));
    said = answer.candidates![0]!.content!.parts!.map((part) => part.text ?? "").join("");
  }
  assert.deepEqual(names, ["weather", "now", "weather", "weather"]);
  assert.ok(said.includes("rain in Łódź") && said.includes("rain in Bern"), said);
});

for (const [way, ask] of Object.entries(asks)) {
  for (const [model, then] of [["gemini-only", "anthropic-only"], ["anthropic-only", "gemini-only"], ["gemini-only", "gemini-only"]] as const) {
    // Thoughts and signatures are shown, and may come back to any vendor in the next turn.
    test(`thoughts ${model} then ${then} ${way}`, async () => {
      await replies(vendorOf(model), scenarios.thinking.tools);
      const config = { tools, thinkingConfig: { includeThoughts: true, thinkingLevel: ThinkingLevel.HIGH } };
      const contents: Content[] = [{ role: "user", parts: [{ text: "What time is it?" }] }];
      const answer = await ask({ model, contents, config });
      const parts = answer.candidates![0]!.content!.parts!;
      assert.equal(parts.filter((part) => part.thought).map((part) => part.text).join(""), scenarios.thinking.thought);
      assert.ok(parts.some((part) => part.thoughtSignature));
      const next = await ask({ model: then, contents: [...contents, ...results(answer)], config });
      assert.ok(next.candidates![0]!.content!.parts!.some((part) => part.text?.includes("noon")));
    });
  }

  test(`failover ${way}`, async () => {
    await fault("gemini", "overloaded-529");
    assert.equal((await ask({ model: "gemini-first", contents: "Hello" })).text, "You said: Hello");
    assert.deepEqual([(await journal("gemini")).length, (await journal("openai")).length], [1, 1]);
  });
}

for (const model of all) {
  test(`schema ${model}`, async () => {
    const responseSchema = { type: Type.OBJECT, properties: { people: { type: Type.INTEGER } }, required: ["people"] };
    const answer = await models.generateContent({ model, contents: "A city.", config: { responseMimeType: "application/json", responseSchema } });
    assert.deepEqual(JSON.parse(answer.text!), { people: 7 });
  });

  for (const [kind, status] of [["invalid-400", 400], ["rate-429-none", 429], ["internal-500", 500]] as const) {
    test(`errors ${kind} ${model}`, async () => {
      await fault(vendorOf(model), kind);
      for (const ask of Object.values(asks)) {
        await assert.rejects(ask({ model, contents: "Hello" }), (err) => err instanceof ApiError && err.status === status);
      }
    });
  }
}

for (const model of sighted) {
  test(`image ${model}`, async () => {
    const image = { inlineData: { mimeType: "image/png", data: pixel.toString("base64") } };
    const answer = await models.generateContent({ model, contents: [{ role: "user", parts: [{ text: "Look." }, image] }] });
    assert.equal(answer.text, `I see image/png of ${pixel.length} bytes. You said: Look.`);
  });
}

test("models", async () => {
  const names = new Set<string>();
  for await (const model of await models.list()) names.add(model.name!);
  for (const model of all) assert.ok(names.has(`models/${model}`), model);
  await assert.rejects(models.generateContent({ model: "no-such-model", contents: "Hello" }), (err) => err instanceof ApiError && err.status === 404);
});
