// LangChain, with its packages for OpenAI (Chat and Responses) and Anthropic: the base URL and the key are all that changes.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage, type AIMessage, type AIMessageChunk, type BaseMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { z } from "zod";
import { all, fault, gateway, reset, runTool, scenarios } from "./stage.js";

const openai = { apiKey: "client-key", maxRetries: 0, configuration: { baseURL: `${gateway}/v1` } };
const packages: Record<string, (model: string) => ChatOpenAI | ChatAnthropic> = {
  openai: (model) => new ChatOpenAI({ ...openai, model }),
  responses: (model) => new ChatOpenAI({ ...openai, model, useResponsesApi: true }),
  anthropic: (model) => new ChatAnthropic({ apiKey: "client-key", maxRetries: 0, anthropicApiUrl: gateway, model, maxTokens: 999 }),
};
const weather = tool(async (args: { city: string }) => runTool("weather", args), {
  name: "weather", description: "Tells the weather.", schema: z.object({ city: z.string() }) });

beforeEach(reset);

for (const [name, of] of Object.entries(packages)) {
  for (const model of all) {
    test(`${name} ${model}`, async () => {
      const chat = of(model);
      const answer = await chat.invoke("the sea");
      assert.equal(answer.text, "You said: the sea");
      assert.ok((answer as AIMessage).usage_metadata!.total_tokens > 0);
      const pieces: string[] = [];
      for await (const piece of await chat.stream("the sea")) pieces.push(piece.text);
      assert.ok(pieces.length > 2);
      assert.equal(pieces.join(""), "You said: the sea");

      const able = chat.bindTools([weather]);
      const messages: BaseMessage[] = [new HumanMessage("Weather?")];
      const asked = (await able.invoke(messages)) as AIMessage;
      const [call] = asked.tool_calls!;
      messages.push(asked, await weather.invoke(call! as never));
      let whole: AIMessageChunk | undefined;
      for await (const piece of await able.stream(messages)) whole = whole ? whole.concat(piece as AIMessageChunk) : (piece as AIMessageChunk);
      assert.match(whole!.text, /rain in/);

      if (model === "ollama-only") return; // where a call cannot be forced, in whose arguments the structured output comes
      const city = await chat.withStructuredOutput(z.object({ people: z.number() })).invoke("A city.");
      assert.deepEqual(city, { people: 7 });
    });
  }

  test(`failover ${name}`, async () => {
    const vendor = name === "anthropic" ? "anthropic" : "openai";
    await fault(vendor, "overloaded-529");
    assert.equal((await of(scenarios.routes[vendor].first).invoke("the sea")).text, "You said: the sea");
  });
}

test("embeddings", async () => {
  const at = new OpenAIEmbeddings({ ...openai, model: "openai/text-embedding-3-small" });
  const [one, other] = await at.embedDocuments(["sea", "sand"]);
  assert.deepEqual(await at.embedQuery("sea"), one);
  assert.notDeepEqual(one, other);
});
