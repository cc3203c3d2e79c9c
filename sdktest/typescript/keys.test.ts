// A key that the gateway does not know, in each SDK's own words.

import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { gateway } from "./stage.js";

// One that the gateway could have made and has not: nobody is let in with it.
const apiKey = `us-${"a".repeat(52)}`;

test("OpenAI", async () => {
  const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey, maxRetries: 0 });
  await assert.rejects(client.chat.completions.create({ model: "any", messages: [{ role: "user", content: "hi" }] }),
    (e: unknown) => e instanceof OpenAI.AuthenticationError && e.code === "invalid_api_key");
});

test("Anthropic", async () => {
  const client = new Anthropic({ baseURL: gateway, apiKey, maxRetries: 0 });
  await assert.rejects(client.messages.create({ model: "any", max_tokens: 9, messages: [{ role: "user", content: "hi" }] }),
    (e: unknown) => e instanceof Anthropic.AuthenticationError);
});
