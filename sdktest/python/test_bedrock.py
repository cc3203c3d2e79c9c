"""AWS's SDK, with Converse and with InvokeModel for Claude: served by Bedrock and by every other vendor."""

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from stage import ALL, PIXEL, SCENARIOS, SIGHTED, run_tool, vendor_of

TOOLS = {"tools": [
    {"toolSpec": {"name": "weather", "description": "Tells the weather.", "inputSchema": {"json": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}},
    {"toolSpec": {"name": "now", "description": "Tells the time.", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
]}


def runtime(stage):
    return boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=stage.gateway, config=Config(retries={"max_attempts": 0}))


@pytest.fixture
def client(stage, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "client-key")
    return runtime(stage)


def user(*content):
    return [{"role": "user", "content": list(content)}]


def claude(text, **more):
    return json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": [{"role": "user", "content": text}], **more})


def create(client, model, messages, **more):
    """Answer with the message, and why it stopped."""
    answer = client.converse(modelId=model, messages=messages, **more)
    assert answer["usage"]["totalTokens"] == answer["usage"]["inputTokens"] + answer["usage"]["outputTokens"] > 0
    assert answer["ResponseMetadata"]["RequestId"].startswith("call_")
    return answer["output"]["message"], answer["stopReason"]


def streamed(client, model, messages, **more):
    """Put the pieces of ConverseStream together to the same."""
    blocks, message, stop, tokens = {}, None, None, 0
    for event in client.converse_stream(modelId=model, messages=messages, **more)["stream"]:
        ((kind, event),) = event.items()
        if kind == "messageStart":
            message = {"role": event["role"]}
        elif kind == "contentBlockStart":
            blocks[event["contentBlockIndex"]] = {"toolUse": event["start"]["toolUse"] | {"input": ""}}
        elif kind == "contentBlockDelta":
            block = blocks.setdefault(event["contentBlockIndex"], {})
            ((part, delta),) = event["delta"].items()
            if part == "text":
                block["text"] = block.get("text", "") + delta
            elif part == "toolUse":
                block["toolUse"]["input"] += delta["input"]
            elif "redactedContent" in delta:
                block["reasoningContent"] = delta
            else:
                thought = block.setdefault("reasoningContent", {}).setdefault("reasoningText", {"text": ""})
                for key, value in delta.items():
                    thought[key] = thought.get(key, "") + value
        elif kind == "messageStop":
            stop = event["stopReason"]
        elif kind == "metadata":
            tokens = event["usage"]["totalTokens"]
    assert tokens > 0
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return message | {"content": [blocks[index] for index in sorted(blocks)]}, stop


BOTH_WAYS = pytest.mark.parametrize("ask", [create, streamed])
EVERY_VENDOR = pytest.mark.parametrize("model", ALL)


@EVERY_VENDOR
@BOTH_WAYS
def test_text(client, model, ask):
    message, stop = ask(client, model, user({"text": "Guten Tag, Łódź ☀"}), system=[{"text": "Be brief."}], inferenceConfig={"maxTokens": 99})
    assert message == {"role": "assistant", "content": [{"text": "You said: Guten Tag, Łódź ☀"}]}
    assert stop == "end_turn"


@EVERY_VENDOR
@BOTH_WAYS
def test_tools(stage, client, model, ask):
    stage.replies(vendor_of(model), *SCENARIOS["tools"]["turns"])
    messages, names, stops = user({"text": "Weather and time?"}), [], []
    for _ in range(3):
        message, stop = ask(client, model, messages, toolConfig=TOOLS)
        messages.append(message)
        stops.append(stop)
        calls = [block["toolUse"] for block in message["content"] if "toolUse" in block]
        names += [call["name"] for call in calls]
        if calls:
            messages += user(*({"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": run_tool(call["name"], call["input"])}]}}
                               for call in calls))
    assert names == ["weather", "now", "weather", "weather"]
    assert stops == ["tool_use", "tool_use", "end_turn"]
    for result in ("rain in Łódź", "rain in Bern"):
        assert result in messages[-1]["content"][-1]["text"]


@pytest.mark.parametrize("model", SIGHTED)
def test_image(client, model):
    image = {"image": {"format": "png", "source": {"bytes": PIXEL}}}
    message, _ = create(client, model, user({"text": "Look."}, image))
    assert message["content"][0]["text"] == f"I see image/png of {len(PIXEL)} bytes. You said: Look."


@EVERY_VENDOR
@BOTH_WAYS
def test_limit(client, model, ask):
    message, stop = ask(client, model, user({"text": "one two three four"}), inferenceConfig={"maxTokens": 3})
    assert (message["content"][0]["text"].strip(), stop) == ("You said: one", "max_tokens")


@EVERY_VENDOR
def test_invoke(client, model):
    whole = json.loads(client.invoke_model(modelId=model, body=claude("the sea"))["body"].read())
    assert (whole["content"], whole["stop_reason"]) == ([{"type": "text", "text": "You said: the sea"}], "end_turn")
    stream = client.invoke_model_with_response_stream(modelId=model, body=claude("the sea"))["body"]
    events = [json.loads(event["chunk"]["bytes"]) for event in stream]
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")
    assert "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta") == "You said: the sea"
    tools = [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]
    whole = json.loads(client.invoke_model(modelId=model, body=claude("Weather?", tools=tools))["body"].read())
    assert (whole["content"][-1]["type"], whole["content"][-1]["name"], whole["stop_reason"]) == ("tool_use", "weather", "tool_use")


@EVERY_VENDOR
@pytest.mark.parametrize("kind, name", [
    ("invalid-400", "ValidationException"), ("rate-429-none", "ThrottlingException"), ("internal-500", "InternalServerException"),
    ("overloaded-529", "ServiceUnavailableException")])
def test_errors(client, stage, model, kind, name):
    stage.fault(vendor_of(model), kind)
    for ask in (lambda: client.converse(modelId=model, messages=user({"text": "x"})),
                lambda: client.converse_stream(modelId=model, messages=user({"text": "x"})),
                lambda: client.invoke_model(modelId=model, body=claude("x"))):
        with pytest.raises(ClientError) as raised:
            ask()
        assert raised.value.response["Error"]["Code"] == name and raised.value.response["Error"]["Message"]
        assert isinstance(raised.value, getattr(client.exceptions, name))


@EVERY_VENDOR
def test_broken_stream(client, stage, model):
    """A failure after content is an error, never a clean end."""
    stage.fault(vendor_of(model), "reset-stream")
    for stream in (client.converse_stream(modelId=model, messages=user({"text": "a b c d e f"}))["stream"],
                   client.invoke_model_with_response_stream(modelId=model, body=claude("a b c d e f"))["body"]):
        with pytest.raises(EventStreamError, match="modelStreamErrorException"):
            list(stream)


@BOTH_WAYS
@pytest.mark.parametrize("kind", ["overloaded-529", "html-200"])
def test_failover(client, stage, ask, kind):
    stage.fault("bedrock", kind)
    message, _ = ask(client, "bedrock-first", user({"text": "Hello"}))
    assert message["content"] == [{"text": "You said: Hello"}]
    assert [len(stage.journal(vendor)) for vendor in ("bedrock", "openai")] == [1, 1]


def test_heartbeats_are_ignored_and_an_understudy_answers(client, stage):
    stage.fault("anthropic", "hang")
    message, stop = streamed(client, "anthropic-first", user({"text": "the sea"}))
    assert (message["content"], stop) == ([{"text": "You said: the sea"}], "end_turn")


@BOTH_WAYS
def test_signature(stage, monkeypatch, ask):
    """Whom nobody has told of a bearer token signs, which is as good while nobody needs a key."""
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "client-secret")
    for model in ("bedrock-only", "openai-only"):
        message, _ = ask(runtime(stage), model, user({"text": "the sea"}))
        assert message["content"] == [{"text": "You said: the sea"}]


def test_models(client, stage):
    control = boto3.client("bedrock", region_name="us-east-1", endpoint_url=stage.gateway)
    names = [model["modelId"] for model in control.list_foundation_models()["modelSummaries"]]
    assert set(names) >= set(ALL)
    assert control.get_foundation_model(modelIdentifier="bedrock-first")["modelDetails"]["modelId"] == "bedrock-first"
    for ask in (create, streamed):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            ask(client, "no-such-model", user({"text": "Hello"}))
