// Vercel's AI SDK, with its packages for OpenAI (Responses and Chat) and Anthropic: the base URL and the
// key are all that changes.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, Output, stepCountIs, streamText, tool, type LanguageModel } from "ai";
import { z } from "zod";
import { all, fault, gateway, reset, runTool, scenarios } from "./stage.js";

const options = { baseURL: `${gateway}/v1`, apiKey: "client-key" };
const openai = createOpenAI(options);
const packages: Record<string, (model: string) => LanguageModel> = {
  responses: (model) => openai(model),
  chat: (model) => openai.chat(model),
  anthropic: createAnthropic(options),
};
// By default the package sends only the ids of what OpenAI is to have kept of the last turn, and no other vendor has.
const providerOptions = { openai: { store: false } };
const tools = {
  weather: tool({
    description: "Tells the weather.", inputSchema: z.object({ city: z.string() }), execute: async (args) => runTool("weather", args),
  }),
};

beforeEach(reset);

for (const [name, of] of Object.entries(packages)) {
  for (const id of all) {
    test(`${name} ${id}`, async () => {
      const model = of(id);
      const answer = await generateText({ model, prompt: "the sea" });
      assert.deepEqual([answer.text, answer.finishReason], ["You said: the sea", "stop"]);
      assert.ok(answer.usage.totalTokens! > 0);

      const shown: string[] = [];
      for await (const piece of streamText({ model, prompt: "the sea" }).textStream) shown.push(piece);
      assert.ok(shown.length > 1);
      assert.equal(shown.join(""), "You said: the sea");

      const looped = await generateText({ model, tools, providerOptions, prompt: "Weather?", stopWhen: stepCountIs(3) });
      assert.equal(looped.steps.length, 2);
      assert.match(looped.text, /^The tools said: .*rain in/);
      const streamed = streamText({ model, tools, providerOptions, prompt: "Weather?", stopWhen: stepCountIs(3) });
      assert.match(await streamed.text, /^The tools said: .*rain in/);

      if (name === "anthropic" && id === "ollama-only") return; // the package forces a call, which Ollama cannot
      const schema = z.object({ people: z.number() });
      const { output } = await generateText({ model, output: Output.object({ schema }), prompt: "A city." });
      assert.deepEqual(output, { people: 7 });
    });
  }

  test(`failover ${name}`, async () => {
    const vendor = name === "anthropic" ? "anthropic" : "openai";
    await fault(vendor, "overloaded-529");
    const answer = await generateText({ model: of(scenarios.routes[vendor].first), prompt: "the sea", maxRetries: 0 });
    assert.equal(answer.text, "You said: the sea");
  });
}
