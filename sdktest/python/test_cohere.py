"""Cohere's SDK: served by Cohere and by every other vendor."""

import json

import cohere
import pytest

from stage import ALL, SCENARIOS, run_tool, vendor_of

TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Tells the weather.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "now", "description": "Tells the time.", "parameters": {"type": "object", "properties": {}}}},
]


@pytest.fixture
def client(stage):
    return cohere.ClientV2("client-key", base_url=stage.gateway, max_retries=0)


def user(text):
    return [{"role": "user", "content": text}]


def create(client, model, messages, **more):
    """Answer in the form of the next turn's history, and why it stopped."""
    answer = client.chat(model=model, messages=messages, **more)
    assert answer.id and answer.usage.tokens.output_tokens > 0
    message = answer.message
    return message.model_dump(exclude_none=True, include={"role", "content", "tool_calls", "tool_plan"}), answer.finish_reason


def streamed(client, model, messages, **more):
    """Put the events of a stream together in the same form."""
    message, calls, texts, finish = {"role": "assistant"}, [], [], None
    for event in client.chat_stream(model=model, messages=messages, **more):
        delta = getattr(event, "delta", None)
        if event.type == "content-start":
            texts.append({"type": "text", "text": delta.message.content.text or ""})
        elif event.type == "content-delta":
            texts[-1]["text"] += delta.message.content.text
        elif event.type == "tool-plan-delta":
            message["tool_plan"] = message.get("tool_plan", "") + delta.message.tool_plan
        elif event.type == "tool-call-start":
            calls.append(delta.message.tool_calls.model_dump(exclude_none=True))
        elif event.type == "tool-call-delta":
            calls[-1]["function"]["arguments"] += delta.message.tool_calls.function.arguments
        elif event.type == "message-end":
            finish = delta.finish_reason
            assert finish == "ERROR" or delta.usage.tokens.output_tokens > 0
    return message | ({"content": texts} if texts else {}) | ({"tool_calls": calls} if calls else {}), finish


def text_of(message):
    return "".join(part["text"] for part in message["content"] if part["type"] == "text")


BOTH_WAYS = pytest.mark.parametrize("ask", [create, streamed])
EVERY_VENDOR = pytest.mark.parametrize("model", ALL)


@EVERY_VENDOR
@BOTH_WAYS
def test_text(client, model, ask):
    message, finish = ask(client, model, [{"role": "system", "content": "Be brief."}, *user("Guten Tag, Łódź ☀")])
    assert (text_of(message), finish) == ("You said: Guten Tag, Łódź ☀", "COMPLETE")


@EVERY_VENDOR
@BOTH_WAYS
def test_tools(stage, client, model, ask):
    stage.replies(vendor_of(model), *SCENARIOS["tools"]["turns"])
    messages, names, finishes = user("Weather and time?"), [], []
    for _ in range(3):
        message, finish = ask(client, model, messages, tools=TOOLS)
        messages.append(message)
        finishes.append(finish)
        for call in message.get("tool_calls", []):
            names.append(call["function"]["name"])
            result = run_tool(names[-1], json.loads(call["function"]["arguments"]))
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    assert names == ["weather", "now", "weather", "weather"]
    assert finishes == ["TOOL_CALL", "TOOL_CALL", "COMPLETE"]
    for result in ("rain in Łódź", "rain in Bern"):
        assert result in text_of(messages[-1])


@EVERY_VENDOR
@BOTH_WAYS
def test_schema(client, model, ask):
    schema = {"type": "object", "properties": {"people": {"type": "integer"}}, "required": ["people"]}
    message, _ = ask(client, model, user("A city."), response_format={"type": "json_object", "json_schema": schema})
    assert json.loads(text_of(message)) == {"people": 7}


@EVERY_VENDOR
@BOTH_WAYS
def test_limit(client, model, ask):
    message, finish = ask(client, model, user("one two three four"), max_tokens=3)
    assert (text_of(message).strip(), finish) == ("You said: one", "MAX_TOKENS")


@BOTH_WAYS
@EVERY_VENDOR
@pytest.mark.parametrize("kind, raises", [
    ("invalid-400", cohere.BadRequestError), ("rate-429-none", cohere.TooManyRequestsError), ("internal-500", cohere.InternalServerError)])
def test_errors(stage, client, model, kind, raises, ask):
    stage.fault(vendor_of(model), kind)
    with pytest.raises(raises) as raised:
        ask(client, model, user("Hello"))
    assert raised.value.body["message"]


@EVERY_VENDOR
def test_broken_stream(stage, client, model):
    """A failure after content never looks like an end: the wire has no error in a stream but an end of its own."""
    stage.fault(vendor_of(model), "reset-stream")
    try:
        _, finish = streamed(client, model, user("a b c d e f"))
    except Exception as broken:
        assert not isinstance(broken, (AssertionError, AttributeError, IndexError))
    else:
        assert finish == "ERROR"


@BOTH_WAYS
@pytest.mark.parametrize("kind", ["overloaded-529", "html-200"])
def test_failover(stage, client, ask, kind):
    stage.fault("cohere", kind)
    message, _ = ask(client, "cohere-first", user("Hello"))
    assert text_of(message) == "You said: Hello"
    assert [len(stage.journal(vendor)) for vendor in ("cohere", "openai")] == [1, 1]


def test_models(client):
    assert {model.name for model in client.models.list().models} >= set(ALL)
    with pytest.raises(cohere.NotFoundError):
        create(client, "no-such-model", user("Hello"))


def test_embed(client):
    answer = client.embed(model="cohere/embed-v4.0", texts=["sea", "sand"], input_type="search_document", embedding_types=["float"])
    assert [len(vector) > 0 for vector in answer.embeddings.float_] == [True, True]
