"""AWS's SDK, with Converse and with InvokeModel for Claude: served by Anthropic and by OpenAI."""

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from stage import PIXEL, SCENARIOS

ROUTES = SCENARIOS["routes"]["anthropic"]
BOTH = [ROUTES["own"], ROUTES["other"]]
TOOLS = {"tools": [{"toolSpec": {"name": "weather", "description": "Tells the weather.", "inputSchema": {"json": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}}]}


@pytest.fixture
def client(stage, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "client-key")
    return boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=stage.gateway, config=Config(retries={"max_attempts": 0}))


def user(*content):
    return [{"role": "user", "content": list(content)}]


def claude(text):
    return json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": [{"role": "user", "content": text}]})


def collected(stream):
    """Put the pieces of ConverseStream together: the text, the calls by their names, and why it stopped."""
    text, calls, stop = "", {}, None
    for event in stream:
        if "contentBlockStart" in event:
            name = event["contentBlockStart"]["start"]["toolUse"]["name"]
            calls[name] = ""
        elif "contentBlockDelta" in event:
            delta = event["contentBlockDelta"]["delta"]
            text += delta.get("text", "")
            if "toolUse" in delta:
                calls[name] += delta["toolUse"]["input"]
        elif "messageStop" in event:
            stop = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            assert event["metadata"]["usage"]["totalTokens"] > 0
    return text, {name: json.loads(args) for name, args in calls.items()}, stop


@pytest.mark.parametrize("model", BOTH)
def test_converse(client, model):
    whole = client.converse(modelId=model, messages=user({"text": "the sea"}), inferenceConfig={"maxTokens": 99})
    assert whole["output"]["message"]["content"] == [{"text": "You said: the sea"}]
    assert whole["stopReason"] == "end_turn"
    assert whole["usage"]["totalTokens"] == whole["usage"]["inputTokens"] + whole["usage"]["outputTokens"]
    assert whole["ResponseMetadata"]["RequestId"].startswith("call_")
    stream = client.converse_stream(modelId=model, messages=user({"text": "the sea"}))["stream"]
    assert collected(stream) == ("You said: the sea", {}, "end_turn")


@pytest.mark.parametrize("model", BOTH)
def test_tool_loop(client, model):
    messages = user({"text": "Weather?"})
    stream = client.converse_stream(modelId=model, messages=messages, toolConfig=TOOLS)["stream"]
    _, calls, stop = collected(stream)
    assert (list(calls), stop) == (["weather"], "tool_use")
    whole = client.converse(modelId=model, messages=messages, toolConfig=TOOLS)
    call = whole["output"]["message"]["content"][-1]["toolUse"]
    messages += [whole["output"]["message"], *user({"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "rain"}]}})]
    whole = client.converse(modelId=model, messages=messages, toolConfig=TOOLS)
    assert whole["output"]["message"]["content"] == [{"text": "The tools said: rain."}]


@pytest.mark.parametrize("model", BOTH)
def test_image(client, model):
    image = {"image": {"format": "png", "source": {"bytes": PIXEL}}}
    whole = client.converse(modelId=model, messages=user({"text": "Look."}, image))
    assert whole["output"]["message"]["content"][0]["text"] == f"I see image/png of {len(PIXEL)} bytes. You said: Look."


@pytest.mark.parametrize("model", BOTH)
def test_invoke(client, model):
    whole = json.loads(client.invoke_model(modelId=model, body=claude("the sea"))["body"].read())
    assert whole["content"][0]["text"] == "You said: the sea"
    stream = client.invoke_model_with_response_stream(modelId=model, body=claude("the sea"))["body"]
    events = [json.loads(event["chunk"]["bytes"]) for event in stream]
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")
    assert "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta") == "You said: the sea"


@pytest.mark.parametrize("kind, name", [("invalid-400", "ValidationException"), ("overloaded-529", "ServiceUnavailableException"),
                                        ("concurrency-429", "ThrottlingException")])
def test_errors(client, stage, kind, name):
    stage.fault("anthropic", kind)
    for ask in (lambda: client.converse(modelId=ROUTES["own"], messages=user({"text": "x"})),
                lambda: client.invoke_model(modelId=ROUTES["own"], body=claude("x"))):
        with pytest.raises(ClientError) as raised:
            ask()
        assert raised.value.response["Error"]["Code"] == name
        assert isinstance(raised.value, getattr(client.exceptions, name))


def test_broken_stream(client, stage):
    stage.fault("anthropic", "reset-stream")
    for stream in (client.converse_stream(modelId=ROUTES["own"], messages=user({"text": "a b c d e f"}))["stream"],
                   client.invoke_model_with_response_stream(modelId=ROUTES["own"], body=claude("a b c d e f"))["body"]):
        with pytest.raises(EventStreamError, match="modelStreamErrorException"):
            list(stream)


def test_heartbeats_are_ignored_and_an_understudy_answers(client, stage):
    stage.fault("anthropic", "hang")
    stream = client.converse_stream(modelId=ROUTES["first"], messages=user({"text": "the sea"}))["stream"]
    assert collected(stream) == ("You said: the sea", {}, "end_turn")


def test_models(client, stage):
    control = boto3.client("bedrock", region_name="us-east-1", endpoint_url=stage.gateway)
    names = [model["modelId"] for model in control.list_foundation_models()["modelSummaries"]]
    assert ROUTES["own"] in names
    assert control.get_foundation_model(modelIdentifier=ROUTES["own"])["modelDetails"]["modelId"] == ROUTES["own"]
