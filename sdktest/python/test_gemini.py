"""Google's SDK: served by Gemini and by every other vendor."""

import pytest
from google import genai
from google.genai import errors, types
from test_openai import City

from stage import ALL, PIXEL, SCENARIOS, SIGHTED, run_tool, vendor_of

TOOLS = types.Tool(function_declarations=[
    {"name": "weather", "description": "Tells the weather.", "parameters": {
        "type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}},
    {"name": "now", "description": "Tells the time."},
])


@pytest.fixture
def client(stage):
    with genai.Client(api_key="client-key", http_options={"base_url": stage.gateway}) as client:
        yield client


def create(client, model, contents, **config):
    return client.models.generate_content(model=model, contents=contents, config=config)


def streamed(client, model, contents, **config):
    """Put the pieces of a stream together, as the SDK's chats do."""
    chunks = list(client.models.generate_content_stream(model=model, contents=contents, config=config))
    last = chunks[-1]
    last.candidates[0].content = types.Content(role="model", parts=[
        part for chunk in chunks if chunk.candidates and chunk.candidates[0].content for part in chunk.candidates[0].content.parts or []])
    return last


BOTH_WAYS = pytest.mark.parametrize("ask", [create, streamed])
EVERY_VENDOR = pytest.mark.parametrize("model", ALL)


@EVERY_VENDOR
@BOTH_WAYS
def test_text(client, model, ask):
    answer = ask(client, model, "Guten Tag, Łódź ☀", system_instruction="Be brief.")
    assert answer.text == "You said: Guten Tag, Łódź ☀"
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.response_id and answer.model_version
    assert answer.usage_metadata.total_token_count >= answer.usage_metadata.prompt_token_count > 0


@EVERY_VENDOR
@BOTH_WAYS
def test_tools(stage, client, model, ask):
    stage.replies(vendor_of(model), *SCENARIOS["tools"]["turns"])
    contents, names = [types.Content(role="user", parts=[types.Part(text="Weather and time?")])], []
    for _ in range(3):
        answer = ask(client, model, contents, tools=[TOOLS])
        contents.append(answer.candidates[0].content)
        calls = answer.function_calls or []
        names += [call.name for call in calls]
        if calls:
            contents.append(types.Content(role="user", parts=[
                types.Part(function_response=types.FunctionResponse(
                    id=call.id, name=call.name, response={"output": run_tool(call.name, call.args)})) for call in calls]))
    assert names == ["weather", "now", "weather", "weather"]
    for result in ("rain in Łódź", "rain in Bern"):
        assert result in answer.text


@EVERY_VENDOR
def test_automatic_tools(client, model):
    """The SDK calls a function of the application by itself and goes on with its result."""
    def weather(city: str) -> str:
        """Tells the weather."""
        return "rain"
    assert "rain" in create(client, model, "Weather?", tools=[weather]).text


@pytest.mark.parametrize("then", ["gemini-only", "anthropic-only", "openai-only"])
@pytest.mark.parametrize("model", ["gemini-only", "anthropic-only"])
@BOTH_WAYS
def test_thoughts(stage, client, model, then, ask):
    """Thoughts and signatures are shown, and may come back to any vendor in the next turn."""
    stage.replies(vendor_of(model), SCENARIOS["thinking"]["tools"])
    more = {"tools": [TOOLS], "thinking_config": {"include_thoughts": True, "thinking_level": "HIGH"}}
    contents = [types.Content(role="user", parts=[types.Part(text="What time is it?")])]
    answer = ask(client, model, contents, **more)
    parts = answer.candidates[0].content.parts
    assert "".join(part.text for part in parts if part.thought) == SCENARIOS["thinking"]["thought"]
    assert any(part.thought_signature for part in parts)
    call = answer.function_calls[0]
    contents += [answer.candidates[0].content, types.Content(role="user", parts=[
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": "noon"}))])]
    assert "noon" in ask(client, then, contents, **more).text


@EVERY_VENDOR
def test_schema(client, model):
    answer = create(client, model, "A city.", response_mime_type="application/json", response_schema=City)
    assert isinstance(answer.parsed, City) and answer.parsed.people == 7 and answer.parsed.rivers


@pytest.mark.parametrize("model", SIGHTED)
def test_image(client, model):
    answer = create(client, model, ["Look.", types.Part.from_bytes(data=PIXEL, mime_type="image/png")])
    assert answer.text == f"I see image/png of {len(PIXEL)} bytes. You said: Look."


@EVERY_VENDOR
@BOTH_WAYS
def test_limit(client, model, ask):
    answer = ask(client, model, "one two three four", max_output_tokens=3)
    assert (answer.text.strip(), answer.candidates[0].finish_reason) == ("You said: one", types.FinishReason.MAX_TOKENS)


@BOTH_WAYS
@EVERY_VENDOR
@pytest.mark.parametrize("kind, code, raises", [
    ("invalid-400", 400, errors.ClientError), ("rate-429-none", 429, errors.ClientError), ("internal-500", 500, errors.ServerError)])
def test_errors(stage, client, model, kind, code, raises, ask):
    stage.fault(vendor_of(model), kind)
    with pytest.raises(raises) as raised:
        ask(client, model, "Hello")
    assert raised.value.code == code and raised.value.status and raised.value.message


@EVERY_VENDOR
def test_broken_stream(stage, client, model):
    """A failure after content is an error, never a clean end."""
    stage.fault(vendor_of(model), "reset-stream")
    with pytest.raises(Exception) as raised:
        streamed(client, model, "a b c d e f")
    assert not isinstance(raised.value, (AssertionError, IndexError, TypeError))


@BOTH_WAYS
@pytest.mark.parametrize("kind", ["overloaded-529", "html-200"])
def test_failover(stage, client, ask, kind):
    stage.fault("gemini", kind)
    assert ask(client, "gemini-first", "Hello").text == "You said: Hello"
    assert [len(stage.journal(vendor)) for vendor in ("gemini", "openai")] == [1, 1]


@pytest.mark.parametrize("model, breaks", [("gemini-first", "gemini"), ("openai-first", "openai")])
def test_rescue(stage, client, model, breaks):
    """Another vendor goes on with an answer that breaks off, and nobody sees it."""
    stage.fault(breaks, "reset-stream")
    assert streamed(client, model, "a b c d e f g h").text == "You said: a b c d e f g h"


def test_models(client):
    names = {model.name for model in client.models.list()}
    assert names >= {f"models/{model}" for model in ALL}
    assert client.models.get(model="gemini-first").name == "models/gemini-first"
    with pytest.raises(errors.ClientError) as raised:
        create(client, "no-such-model", "Hello")
    assert raised.value.code == 404
