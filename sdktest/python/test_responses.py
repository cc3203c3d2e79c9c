"""OpenAI's SDK with the Responses API: served by OpenAI and by every other vendor."""

import base64
import json

import openai
import pytest
from test_openai import City

from stage import ALL, PIXEL, SCENARIOS, SIGHTED, run_tool, vendor_of

WEATHER = {"type": "function", "name": "weather", "description": "Tells the weather.", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}}
NOW = {"type": "function", "name": "now", "description": "Tells the time.", "strict": False, "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
def client(stage):
    with openai.OpenAI(base_url=stage.gateway + "/v1", api_key="client-key", max_retries=0) as client:
        yield client


def create(client, model, asked, **more):
    return client.responses.create(model=model, input=asked, store=False, **more)


def streamed(client, model, asked, **more):
    """Stream the answer through the SDK's own accumulator, and hold the text that was shown against it."""
    shown = ""
    with client.responses.stream(model=model, input=asked, store=False, **more) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                shown += event.delta
    assert event.type in ("response.completed", "response.incomplete") and shown == event.response.output_text
    return event.response


BOTH_WAYS = pytest.mark.parametrize("ask", [create, streamed])
EVERY_VENDOR = pytest.mark.parametrize("model", ALL)


@EVERY_VENDOR
@BOTH_WAYS
def test_text(client, model, ask):
    answer = ask(client, model, "Guten Tag, Łódź ☀", instructions="Be brief.")
    assert answer.output_text == "You said: Guten Tag, Łódź ☀"
    assert answer.status == "completed" and answer.id and answer.created_at > 1.7e9
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


@EVERY_VENDOR
@BOTH_WAYS
def test_tools(stage, client, model, ask):
    stage.replies(vendor_of(model), *SCENARIOS["tools"]["turns"])
    items, names = [{"role": "user", "content": "Weather and time?"}], []
    for _ in range(3):
        answer = ask(client, model, items, tools=[WEATHER, NOW])
        items += answer.output
        for call in answer.output:
            if call.type == "function_call":
                names.append(call.name)
                result = run_tool(call.name, json.loads(call.arguments))
                items.append({"type": "function_call_output", "call_id": call.call_id, "output": result})
    assert names == ["weather", "now", "weather", "weather"]
    assert answer.output_text == SCENARIOS["tools"]["said"]


@EVERY_VENDOR
def test_schema(client, model):
    city = client.responses.parse(model=model, input="A city.", text_format=City, store=False).output_parsed
    assert isinstance(city, City) and city.people == 7 and city.rivers
    assert streamed(client, model, "A city.", text_format=City).output_parsed == city


@pytest.mark.parametrize("then", ["openai/gpt-5", "anthropic-only"])
@pytest.mark.parametrize("model, thought", [
    ("openai/gpt-5+think", "First I think about it. Then I answer."), ("anthropic-only", SCENARIOS["thinking"]["thought"]),
    ("gemini-only", SCENARIOS["thinking"]["thought"])])
@BOTH_WAYS
def test_reasoning(stage, client, model, thought, then, ask):
    """Thoughts are shown, and may come back to any vendor in the next turn."""
    if model.endswith("-only"):
        stage.replies(vendor_of(model), SCENARIOS["thinking"]["tools"])
    more = {"tools": [NOW], "reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    items = [{"role": "user", "content": "What time is it?"}]
    answer = ask(client, model, items, **more)
    assert "".join(part.text for item in answer.output if item.type == "reasoning" for part in item.summary) == thought
    call = next(item for item in answer.output if item.type == "function_call")
    items += [*answer.output, {"type": "function_call_output", "call_id": call.call_id, "output": "noon"}]
    assert ask(client, then, items, **more).output_text == SCENARIOS["thinking"]["said"]


@pytest.mark.parametrize("model", SIGHTED)
def test_image(client, model):
    image = {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64," + base64.b64encode(PIXEL).decode()}
    answer = create(client, model, [{"role": "user", "content": [{"type": "input_text", "text": "Look."}, image]}])
    assert answer.output_text == f"I see image/png of {len(PIXEL)} bytes. You said: Look."


@EVERY_VENDOR
@BOTH_WAYS
def test_limit(client, model, ask):
    answer = ask(client, model, "one " * 40, max_output_tokens=16)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize("stream", [False, True])
@EVERY_VENDOR
@pytest.mark.parametrize("kind, raises", [
    ("invalid-400", openai.BadRequestError), ("rate-429-none", openai.RateLimitError), ("internal-500", openai.InternalServerError)])
def test_errors(stage, client, model, kind, raises, stream):
    stage.fault(vendor_of(model), kind)
    with pytest.raises(raises) as raised:
        create(client, model, "Hello", stream=stream)
    assert raised.value.request_id and raised.value.body["message"]


@EVERY_VENDOR
def test_broken_stream(stage, client, model):
    """A failure after content is an error, never a clean end."""
    stage.fault(vendor_of(model), "reset-stream")
    types = []
    try:
        types = [event.type for event in create(client, model, "a b c d e f", stream=True)]
    except openai.APIError:
        return
    assert types[-1] in ("error", "response.failed")


@BOTH_WAYS
@pytest.mark.parametrize("kind", ["overloaded-529", "html-200"])
def test_failover(stage, client, ask, kind):
    stage.fault("openai", kind)
    assert ask(client, "openai-first", "Hello").output_text == "You said: Hello"
    assert stage.counts() == {"openai": 1, "anthropic": 1}
