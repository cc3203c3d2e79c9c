// OpenAI's SDK with what nobody translates: the gateway passes it on, under the model's name at the vendor.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { beforeEach, test } from "node:test";
import OpenAI, { toFile } from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import type { RealtimeServerEvent } from "openai/resources/realtime/realtime";
import { gateway, pixel, reset } from "./stage.js";

const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: "client-key", maxRetries: 0 });
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

beforeEach(reset);

test("speech", async () => {
  const spoken = await client.audio.speech.create({ model: "openai/tts-1", voice: "alloy", input: "the sea" });
  assert.equal(spoken.headers.get("content-type"), "audio/wav");
  assert.ok((await bytesOf(spoken)).toString().endsWith("the sea"));
});

test("transcription", async () => {
  const file = await toFile(Buffer.from("RIFF....WAVEfmt the sea"), "sea.wav");
  assert.equal((await client.audio.transcriptions.create({ model: "openai/whisper-1", file })).text, "the sea");
});

test("image", async () => {
  const drawn = (await client.images.generate({ model: "openai/gpt-image-1", prompt: "the sea" })).data![0]!;
  assert.deepEqual([drawn.b64_json, drawn.revised_prompt], ["iVBORw==", "the sea"]);
});

for (const [input, flagged] of [["the sea", false], ["violence", true]] as const) {
  test(`moderation of ${input}`, async () => {
    const { results } = await client.moderations.create({ model: "openai/omni-moderation-latest", input });
    assert.deepEqual(results.map((result) => result.flagged), [flagged]);
  });
}

test("files and batches", async () => {
  const line = '{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n';
  const kept = await client.files.create({ file: await toFile(Buffer.from(line), "asked.jsonl"), purpose: "batch" });
  assert.equal((await client.files.retrieve(kept.id)).filename, "asked.jsonl");
  assert.equal((await bytesOf(await client.files.content(kept.id))).toString(), line);
  const started = await client.batches.create({ input_file_id: kept.id, endpoint: "/v1/chat/completions", completion_window: "24h" });
  const batch = await client.batches.retrieve(started.id);
  assert.equal(batch.status, "completed");
  assert.equal((await bytesOf(await client.files.content(batch.output_file_id!))).toString(), line);
  assert.ok((await client.files.delete(kept.id)).deleted);
});

test("a file of bytes", async () => {
  const picture = await client.files.create({ file: await toFile(pixel, "pixel.png"), purpose: "vision" });
  assert.equal(picture.bytes, pixel.length);
  assert.deepEqual(await bytesOf(await client.files.content(picture.id)), pixel);
});

test("a file of nobody", () => assert.rejects(client.files.retrieve("file-of-nobody"), OpenAI.NotFoundError));

for (const model of ["openai/text-embedding-3-small", "cohere/embed-v4.0"]) {
  test(`embeddings of ${model}`, async () => {
    const { data } = await client.embeddings.create({ model, input: ["sea", "sand"] });
    assert.ok(data[0]!.embedding.length > 0 && data[1]!.embedding.length > 0);
    assert.notDeepEqual(data[0]!.embedding, data[1]!.embedding);
  });
}

test("realtime", async () => {
  // The SDK opens nothing but wss: addresses; TLS ends before the gateway.
  const { hostname, port } = new URL(gateway);
  const options = { createConnection: () => connect(Number(port), hostname) };
  const session = new OpenAIRealtimeWS({ model: "openai/gpt-realtime", options }, client);
  const seen: RealtimeServerEvent[] = [];
  await new Promise<void>((resolve, reject) => {
    session.on("error", reject);
    session.on("event", (event) => {
      seen.push(event);
      if (event.type === "session.created") {
        session.send({ type: "conversation.item.create", item: {
          type: "message", role: "user", content: [{ type: "input_text", text: "the sea" }] } });
        session.send({ type: "response.create" });
      }
      if (event.type === "response.done") resolve();
    });
  });
  session.close();
  assert.deepEqual(seen.map((event) => event.type), ["session.created", "response.output_text.done", "response.done"]);
  const said = seen[1]!;
  assert.ok(said.type === "response.output_text.done" && said.text === "You said: the sea", JSON.stringify(said));
});

// Only a provider that serves the operation may be asked.
test("a model that nobody serves", () =>
  assert.rejects(client.images.generate({ model: "anthropic-only", prompt: "the sea" }), (err) => err instanceof OpenAI.APIError && err.status === 501));
