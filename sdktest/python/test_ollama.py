"""Ollama's SDK: served by an Ollama and by every vendor."""

import ollama
import pytest
from test_openai import City

from stage import ALL, PIXEL, SCENARIOS, SIGHTED, run_tool, vendor_of


def weather(city: str) -> str:
    """Tells the weather.

    Args:
      city: Where.
    """
    return run_tool("weather", {"city": city})


def now() -> str:
    """Tells the time."""
    return run_tool("now", {})


@pytest.fixture
def client(stage):
    return ollama.Client(stage.gateway, headers={"Authorization": "Bearer client-key"})


def user(text, **more):
    return [{"role": "user", "content": text, **more}]


def create(client, model, messages, **more):
    return client.chat(model=model, messages=messages, **more)


def streamed(client, model, messages, **more):
    """Put the pieces of a stream together."""
    pieces = list(client.chat(model=model, messages=messages, stream=True, **more))
    last = pieces[-1]
    last.message.content = "".join(piece.message.content or "" for piece in pieces)
    last.message.thinking = "".join(piece.message.thinking or "" for piece in pieces) or None
    last.message.tool_calls = [call for piece in pieces for call in piece.message.tool_calls or []] or None
    return last


BOTH_WAYS = pytest.mark.parametrize("ask", [create, streamed])
EVERY_VENDOR = pytest.mark.parametrize("model", ALL)


@EVERY_VENDOR
@BOTH_WAYS
def test_text(client, model, ask):
    answer = ask(client, model, [{"role": "system", "content": "Be brief."}, *user("Guten Tag, Łódź ☀")])
    assert answer.message.content == "You said: Guten Tag, Łódź ☀"
    assert answer.done and answer.done_reason == "stop" and answer.model and answer.created_at
    assert answer.prompt_eval_count > 0 and answer.eval_count > 0


@EVERY_VENDOR
@BOTH_WAYS
def test_tools(stage, client, model, ask):
    stage.replies(vendor_of(model), *SCENARIOS["tools"]["turns"])
    messages, names = user("Weather and time?"), []
    for _ in range(3):
        answer = ask(client, model, messages, tools=[weather, now])
        messages.append(answer.message)
        for call in answer.message.tool_calls or []:
            names.append(call.function.name)
            messages.append({"role": "tool", "tool_name": names[-1], "content": run_tool(names[-1], call.function.arguments)})
    assert names == ["weather", "now", "weather", "weather"]
    assert answer.message.content == SCENARIOS["tools"]["said"]


@pytest.mark.parametrize("model", ["ollama-only", "anthropic-only", "gemini-only"])
@BOTH_WAYS
def test_thinking(stage, client, model, ask):
    stage.replies(vendor_of(model), {"Thinking": "First I think.", "Text": "Then I answer."})
    message = ask(client, model, user("Think."), think=True).message
    assert (message.thinking, message.content) == ("First I think.", "Then I answer.")


@EVERY_VENDOR
@BOTH_WAYS
def test_schema(client, model, ask):
    city = City.model_validate_json(ask(client, model, user("A city."), format=City.model_json_schema()).message.content)
    assert city.people == 7 and city.rivers


@pytest.mark.parametrize("model", SIGHTED)
def test_image(client, model):
    answer = create(client, model, user("Look.", images=[PIXEL]))
    assert answer.message.content == f"I see image/png of {len(PIXEL)} bytes. You said: Look."


@EVERY_VENDOR
@BOTH_WAYS
def test_limit(client, model, ask):
    answer = ask(client, model, user("one two three four"), options={"num_predict": 3})
    assert (answer.message.content.strip(), answer.done_reason) == ("You said: one", "length")


@BOTH_WAYS
@EVERY_VENDOR
@pytest.mark.parametrize("kind, status", [("invalid-400", 400), ("rate-429-none", 429), ("internal-500", 500)])
def test_errors(stage, client, model, kind, status, ask):
    stage.fault(vendor_of(model), kind)
    with pytest.raises(ollama.ResponseError) as raised:
        ask(client, model, user("Hello"))
    assert raised.value.status_code == status and raised.value.error


@EVERY_VENDOR
def test_broken_stream(stage, client, model):
    """A failure after content is an error, never a clean end."""
    stage.fault(vendor_of(model), "reset-stream")
    with pytest.raises(Exception) as raised:
        streamed(client, model, user("a b c d e f"))
    assert not isinstance(raised.value, (AssertionError, IndexError, TypeError))


@BOTH_WAYS
@pytest.mark.parametrize("kind", ["internal-500", "html-200"])
def test_failover(stage, client, ask, kind):
    stage.fault("ollama", kind)
    assert ask(client, "ollama-first", user("Hello")).message.content == "You said: Hello"
    assert [len(stage.journal(vendor)) for vendor in ("ollama", "openai")] == [1, 1]


def test_models(client):
    assert {model.model for model in client.list().models} >= set(ALL)
    assert client.show("ollama-first").capabilities is not None
    with pytest.raises(ollama.ResponseError) as raised:
        create(client, "no-such-model", user("Hello"))
    assert raised.value.status_code == 404
