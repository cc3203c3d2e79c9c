// AWS's SDK, with Converse and with InvokeModel for Claude: served by Bedrock and by every other vendor.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { BedrockClient, GetFoundationModelCommand, ListFoundationModelsCommand } from "@aws-sdk/client-bedrock";
import {
  BedrockRuntimeClient, BedrockRuntimeServiceException, ConverseCommand, ConverseStreamCommand, InvokeModelCommand,
  InvokeModelWithResponseStreamCommand, ModelStreamErrorException,
  type ContentBlock, type ConverseCommandInput, type Message, type ToolConfiguration,
} from "@aws-sdk/client-bedrock-runtime";
import { all, fault, gateway, journal, pixel, replies, reset, runTool, scenarios, sighted, vendorOf } from "./stage.js";

const options = { region: "us-east-1", endpoint: gateway, maxAttempts: 1 };
const signing = new BedrockRuntimeClient({ ...options, credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "client-secret" } });
process.env.AWS_BEARER_TOKEN_BEDROCK = "client-key";
const client = new BedrockRuntimeClient(options);
const toolConfig: ToolConfiguration = { tools: [
  { toolSpec: { name: "weather", description: "Tells the weather.", inputSchema: { json: {
    type: "object", properties: { city: { type: "string" } }, required: ["city"] } } } },
  { toolSpec: { name: "now", description: "Tells the time.", inputSchema: { json: { type: "object", properties: {} } } } },
] };

interface Answer { message: Message; stop?: string; tokens: number }
type Ask = (input: ConverseCommandInput, by?: BedrockRuntimeClient) => Promise<Answer>;

const asks: Record<string, Ask> = {
  unary: async (input, by = client) => {
    const answer = await by.send(new ConverseCommand(input));
    return { message: answer.output!.message!, stop: answer.stopReason, tokens: answer.usage!.totalTokens! };
  },
  stream: async (input, by = client) => {
    const content: ContentBlock[] = [];
    const inputs: string[] = [];
    const answer: Answer = { message: { role: "assistant", content }, tokens: 0 };
    const { stream } = await by.send(new ConverseStreamCommand(input));
    for await (const event of stream!) {
      const { contentBlockStart: start, contentBlockDelta: piece } = event;
      if (start) {
        content[start.contentBlockIndex!] = { toolUse: { ...start.start!.toolUse!, input: {} } };
        inputs[start.contentBlockIndex!] = "";
      }
      const at = piece?.contentBlockIndex ?? 0;
      if (piece?.delta?.text !== undefined) content[at] = { text: (content[at]?.text ?? "") + piece.delta.text };
      if (piece?.delta?.toolUse) inputs[at] += piece.delta.toolUse.input;
      const thought = piece?.delta?.reasoningContent;
      if (thought) {
        const { text = "", signature } = content[at]?.reasoningContent?.reasoningText ?? {};
        content[at] = thought.redactedContent ? { reasoningContent: { redactedContent: thought.redactedContent } } :
          { reasoningContent: { reasoningText: { text: text + (thought.text ?? ""), signature: thought.signature ?? signature } } };
      }
      if (event.messageStop) answer.stop = event.messageStop.stopReason;
      if (event.metadata) answer.tokens = event.metadata.usage!.totalTokens!;
    }
    for (const [at, block] of content.entries()) if (block?.toolUse) block.toolUse.input = JSON.parse(inputs[at] || "{}");
    return answer;
  },
};

const user = (...content: ContentBlock[]): Message => ({ role: "user", content });
const textOf = ({ message }: Answer) => message.content!.map((block) => block.text ?? "").join("");
const claude = (text: string, more = {}) => JSON.stringify({
  anthropic_version: "bedrock-2023-05-31", max_tokens: 99, messages: [{ role: "user", content: text }], ...more });

/** Plays a scenario with every vendor, unary and streamed. */
function each(name: string, scenario: (modelId: string, ask: Ask) => Promise<void>) {
  for (const model of all) {
    for (const [way, ask] of Object.entries(asks)) test(`${name} ${model} ${way}`, () => scenario(model, ask));
  }
}

beforeEach(reset);

each("text", async (modelId, ask) => {
  const answer = await ask({ modelId, messages: [user({ text: "Guten Tag, Łódź ☀" })], system: [{ text: "Be brief." }] });
  assert.deepEqual([textOf(answer), answer.stop], ["You said: Guten Tag, Łódź ☀", "end_turn"]);
  assert.ok(answer.tokens > 0);
});

each("tools", async (modelId, ask) => {
  await replies(vendorOf(modelId), ...scenarios.tools.turns);
  const messages = [user({ text: "Weather and time?" })];
  const names: string[] = [];
  const stops: (string | undefined)[] = [];
  let said = "";
  for (let turn = 0; turn < 3; turn++) {
    const answer = await ask({ modelId, messages, toolConfig });
    messages.push(answer.message);
    stops.push(answer.stop);
    const calls = answer.message.content!.flatMap((block) => block.toolUse ?? []);
    names.push(...calls.map((call) => call.name!));
    if (calls.length) {
      messages.push(user(...calls.map((call) => ({ toolResult: { toolUseId: call.toolUseId, content: [{ text: runTool(call.name!, call.input) }] } }))));
    }
    said = textOf(answer);
  }
  assert.deepEqual(names, ["weather", "now", "weather", "weather"]);
  assert.deepEqual(stops, ["tool_use", "tool_use", "end_turn"]);
  assert.ok(said.includes("rain in Łódź") && said.includes("rain in Bern"), said);
});

each("limit", async (modelId, ask) => {
  const answer = await ask({ modelId, messages: [user({ text: "one two three four" })], inferenceConfig: { maxTokens: 3 } });
  assert.deepEqual([textOf(answer).trim(), answer.stop], ["You said: one", "max_tokens"]);
});

for (const modelId of sighted) {
  test(`image ${modelId}`, async () => {
    const image = { image: { format: "png" as const, source: { bytes: pixel } } };
    const answer = await asks.unary!({ modelId, messages: [user({ text: "Look." }, image)] });
    assert.equal(textOf(answer), `I see image/png of ${pixel.length} bytes. You said: Look.`);
  });
}

for (const modelId of all) {
  test(`invoke ${modelId}`, async () => {
    const request = { modelId, contentType: "application/json" };
    const invoke = async (body: string) =>
      JSON.parse(Buffer.from((await client.send(new InvokeModelCommand({ ...request, body }))).body).toString());
    assert.deepEqual((await invoke(claude("the sea"))).content, [{ type: "text", text: "You said: the sea" }]);
    const tool = { name: "weather", input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } };
    const called = await invoke(claude("Weather?", { tools: [tool] }));
    assert.deepEqual([called.content.at(-1).name, called.stop_reason], ["weather", "tool_use"]);
    const { body } = await client.send(new InvokeModelWithResponseStreamCommand({ ...request, body: claude("the sea") }));
    const events: { type: string; delta?: { text?: string } }[] = [];
    for await (const event of body!) events.push(JSON.parse(Buffer.from(event.chunk!.bytes!).toString()));
    assert.deepEqual([events[0]!.type, events.at(-1)!.type], ["message_start", "message_stop"]);
    assert.equal(events.map((event) => event.delta?.text ?? "").join(""), "You said: the sea");
  });

  for (const [kind, name] of [["invalid-400", "ValidationException"], ["rate-429-none", "ThrottlingException"],
    ["internal-500", "InternalServerException"], ["overloaded-529", "ServiceUnavailableException"]] as const) {
    test(`errors ${kind} ${modelId}`, async () => {
      await fault(vendorOf(modelId), kind);
      for (const ask of Object.values(asks)) {
        await assert.rejects(ask({ modelId, messages: [user({ text: "Hello" })] }),
          (err) => err instanceof BedrockRuntimeServiceException && err.name === name && err.message !== "");
      }
    });
  }

  // A failure after content is an error, never a clean end.
  test(`broken ${modelId}`, async () => {
    await fault(vendorOf(modelId), "reset-stream");
    await assert.rejects(asks.stream!({ modelId, messages: [user({ text: "a b c d e f" })] }), ModelStreamErrorException);
  });
}

for (const [way, ask] of Object.entries(asks)) {
  test(`failover ${way}`, async () => {
    await fault("bedrock", "overloaded-529");
    assert.equal(textOf(await ask({ modelId: "bedrock-first", messages: [user({ text: "Hello" })] })), "You said: Hello");
    assert.deepEqual([(await journal("bedrock")).length, (await journal("openai")).length], [1, 1]);
  });

  for (const modelId of ["bedrock-only", "openai-only"]) {
    test(`signature ${modelId} ${way}`, async () => {
      assert.equal(textOf(await ask({ modelId, messages: [user({ text: "Hello" })] }, signing)), "You said: Hello");
    });
  }

  test(`no such model ${way}`, () =>
    assert.rejects(ask({ modelId: "no-such-model", messages: [user({ text: "Hello" })] }), { name: "ResourceNotFoundException" }));
}

test("models", async () => {
  const control = new BedrockClient(options);
  const names = new Set((await control.send(new ListFoundationModelsCommand({}))).modelSummaries!.map((model) => model.modelId));
  for (const model of all) assert.ok(names.has(model), model);
  const { modelDetails } = await control.send(new GetFoundationModelCommand({ modelIdentifier: "bedrock-first" }));
  assert.equal(modelDetails!.modelId, "bedrock-first");
});
