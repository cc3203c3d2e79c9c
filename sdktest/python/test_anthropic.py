"""Anthropic's SDK: with its own vendor behind the gateway, with the other one, and in the main with every vendor."""

import asyncio
import base64
import time

import anthropic
import pydantic
import pytest

from stage import ALL, PAGE, PIXEL, SCENARIOS, run_tool, vendor_of

ROUTES = SCENARIOS["routes"]["anthropic"]
BOTH = [ROUTES["own"], ROUTES["other"]]
LEAD, STANDBY = "anthropic", "openai"
TOOLS = [
    {"name": "weather", "description": "Tells the weather.", "input_schema": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
    {"name": "now", "description": "Tells the time.", "input_schema": {"type": "object", "properties": {}}},
]
CLASSES = {
    400: anthropic.BadRequestError, 402: anthropic.PaymentRequiredError, 404: anthropic.NotFoundError, 409: anthropic.ConflictError,
    413: anthropic.APIStatusError, 422: anthropic.UnprocessableEntityError, 429: anthropic.RateLimitError,
    500: anthropic.InternalServerError, 502: anthropic.InternalServerError, 503: anthropic.InternalServerError,
    529: anthropic.InternalServerError,
}


class City(pydantic.BaseModel):
    name: str
    people: int
    rivers: list[str]


@pytest.fixture
def client(stage):
    with anthropic.Anthropic(base_url=stage.gateway, api_key="client-key", max_retries=0) as client:
        yield client


@pytest.fixture
def async_client(stage):
    return anthropic.AsyncAnthropic(base_url=stage.gateway, api_key="client-key", max_retries=0)


def user(content):
    return [{"role": "user", "content": content}]


def create(client, model, messages, max_tokens=2048, **more):
    return client.messages.create(model=model, messages=messages, max_tokens=max_tokens, **more)


def streamed(client, model, messages, **more):
    """Stream the answer through the SDK's own accumulator."""
    with client.messages.stream(model=model, messages=messages, max_tokens=2048, **more) as stream:
        return stream.get_final_message()


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("ask", [create, streamed])
def test_text(client, model, ask):
    answer = ask(client, model, user("Guten Tag, Łódź ☀"), system="Be brief.")
    assert [(b.type, b.text) for b in answer.content] == [("text", "You said: Guten Tag, Łódź ☀")]
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("ask", [create, streamed])
def test_usage(stage, client, model, ask):
    stage.replies(vendor_of(model), SCENARIOS["usage"]["reply"])
    u = ask(client, model, user("Count.")).usage
    got = {"input": u.input_tokens, "output": u.output_tokens, "cacheRead": u.cache_read_input_tokens,
           "cacheWrite": u.cache_creation_input_tokens}
    assert got == SCENARIOS["usage"]["anthropic"]


def tool_loop(client, model, ask, turn=lambda n: None):
    messages = user("Weather and time?")
    for n in range(1, 4):
        turn(n)
        message = ask(client, model, messages, tools=TOOLS)
        calls = [block for block in message.content if block.type == "tool_use"]
        assert message.stop_reason == ("tool_use" if calls else "end_turn")
        messages.append({"role": "assistant", "content": message.content})
        if calls:
            messages += user([{"type": "tool_result", "tool_use_id": call.id, "content": run_tool(call.name, call.input)}
                              for call in calls])
    return messages


def check_tool_loop(messages):
    blocks = [[(b.name, b.input) for b in m["content"] if b.type == "tool_use"]
              for m in messages if m["role"] == "assistant"]
    assert blocks == [[("weather", {"city": "Oslo"}), ("now", {})],
                      [("weather", {"city": 'Łódź "old"'}), ("weather", {"city": "Bern"})], []]
    assert messages[1]["content"][0].text == "I look."
    assert messages[-1]["content"][0].text == SCENARIOS["tools"]["said"]


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("ask", [create, streamed])
def test_tools(stage, client, model, ask):
    stage.replies(vendor_of(model), *SCENARIOS["tools"]["turns"])
    check_tool_loop(tool_loop(client, model, ask))


@pytest.mark.parametrize("ask", [create, streamed])
def test_tools_failover(stage, client, ask):
    """The lead fails in the middle of the loop; the understudy takes its history over."""
    first, second = SCENARIOS["tools"]["turns"]
    stage.replies(LEAD, first)
    stage.replies(STANDBY, second)
    check_tool_loop(tool_loop(client, ROUTES["first"], ask, lambda n: n == 2 and stage.fault(LEAD, "internal-500")))
    assert stage.counts() == {LEAD: 3, STANDBY: 2}


@anthropic.beta_tool
def weather(city: str) -> str:
    """Tells the weather."""
    return run_tool("weather", {"city": city})


@anthropic.beta_tool
def now() -> str:
    """Tells the time."""
    return run_tool("now", {})


def run_tools(client, model, stream):
    """The SDK's own loop, which asks the vendor to keep the conversation and sends it whole where that is not done."""
    for message in client.beta.messages.tool_runner(
            model=model, max_tokens=500, messages=user("Weather and time?"), tools=[weather, now], stream=stream):
        last = message.get_final_message() if stream else message
        yield text_of(last)


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("stream", [False, True])
def test_tool_runner(stage, client, model, stream):
    stage.replies(vendor_of(model), *SCENARIOS["tools"]["turns"])
    assert list(run_tools(client, model, stream))[-1] == SCENARIOS["tools"]["said"]


@pytest.mark.parametrize("stream", [False, True])
def test_tool_runner_failover(stage, client, stream):
    """The lead fails when it has part of a conversation; the understudy is given all of it."""
    first, second = SCENARIOS["tools"]["turns"]
    stage.replies(LEAD, first)
    stage.replies(STANDBY, second)
    turns = run_tools(client, ROUTES["first"], stream)
    next(turns)
    stage.fault(LEAD, "internal-500")
    assert list(turns)[-1] == SCENARIOS["tools"]["said"]


def encoded(media_type, content):
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(content).decode()}


MEDIA = {
    "image": ({"type": "image", "source": encoded("image/png", PIXEL)}, f"image/png of {len(PIXEL)} bytes"),
    "image by URL": ({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                     "image at https://example.com/a.png"),
    "document": ({"type": "document", "source": encoded("application/pdf", PAGE)},
                 f"application/pdf of {len(PAGE)} bytes"),
}


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("kind", MEDIA)
def test_media(client, model, kind):
    part, seen = MEDIA[kind]
    answer = create(client, model, user([part, {"type": "text", "text": "What is it?"}]))
    assert text_of(answer) == f"I see {seen}. You said: What is it?"


def test_document_by_url(stage, client):
    """Only one of the vendors fetches documents: the other one is not asked to guess."""
    document = user([{"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}])
    assert "https://example.com/a.pdf" in text_of(create(client, ROUTES["own"], document))
    with pytest.raises(anthropic.BadRequestError):
        create(client, ROUTES["other"], document)
    assert stage.counts()[STANDBY] == 0


def parsed(client, model, messages, **more):
    return client.messages.parse(model=model, messages=messages, max_tokens=2048, **more)


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("ask", [parsed, streamed])
def test_schema(client, model, ask):
    city = ask(client, model, user("A city."), output_format=City).parsed_output
    assert isinstance(city, City) and city.people == 7 and city.rivers


@pytest.mark.parametrize("ask", [create, streamed])
@pytest.mark.parametrize("model", BOTH)
def test_citations(stage, client, model, ask):
    """Those of the other vendor lack what this one's have, and are dropped with a report."""
    stage.replies(vendor_of(model), SCENARIOS["citations"]["reply"])
    answer = ask(client, model, user("Does it rain?"))
    assert text_of(answer) == "It rains."
    assert [c.url for b in answer.content for c in b.citations or []] == (
        SCENARIOS["citations"]["urls"] if model == ROUTES["own"] else [])


@pytest.mark.parametrize("ask", [create, streamed])
@pytest.mark.parametrize("first", BOTH)
@pytest.mark.parametrize("then", BOTH)
def test_thinking(stage, client, ask, first, then):
    """Thoughts of either vendor are shown, and may come back to either in the next turn."""
    stage.replies(vendor_of(first), SCENARIOS["thinking"]["tools"])
    messages = user("What time is it?")
    more = {"tools": TOOLS, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    message = ask(client, first, messages, **more)
    thought, call = message.content
    assert (thought.type, thought.thinking) == ("thinking", SCENARIOS["thinking"]["thought"])
    messages += [{"role": "assistant", "content": message.content},
                 *user([{"type": "tool_result", "tool_use_id": call.id, "content": "noon"}])]
    if first != then and then == ROUTES["own"]:
        del more["thinking"]  # the vendor wants its own thoughts back while it thinks, and there are none
    assert text_of(ask(client, then, messages, **more)) == SCENARIOS["thinking"]["said"]


@pytest.mark.parametrize("model, want", [(ROUTES["own"], ("stop_sequence", "tree")), (ROUTES["other"], ("end_turn", None))])
@pytest.mark.parametrize("ask", [create, streamed])
def test_stop(client, model, want, ask):
    """OpenAI does not tell a stop sequence from a natural end."""
    answer = ask(client, model, user("one two tree four"), stop_sequences=["tree", "none"])
    assert text_of(answer).strip() == "You said: one two"
    assert (answer.stop_reason, answer.stop_sequence) == want


@pytest.mark.parametrize("model", ALL)
def test_limit(client, model):
    answer = create(client, model, user("one two three four"), max_tokens=3)
    assert (text_of(answer).strip(), answer.stop_reason) == ("You said: one", "max_tokens")


def test_models(client):
    names = {model.id for model in client.models.list()}
    assert names >= {"openai-only", "anthropic-only", "openai-first", "anthropic-first"}
    assert client.models.retrieve("openai-first").id == "openai-first"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("no-such-model")
    with pytest.raises(anthropic.NotFoundError):
        create(client, "no-such-model", user("Hello"))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("side", ["own", "other"])
@pytest.mark.parametrize("row", SCENARIOS["errors"], ids=lambda row: row["fault"])
def test_errors(stage, client, row, side, stream):
    want = row["anthropic"][side]
    stage.fault(vendor_of(ROUTES[side]), row["fault"])
    with pytest.raises(CLASSES[want]) as raised:
        create(client, ROUTES[side], user("Hello"), stream=stream)
    assert raised.value.status_code == want
    assert raised.value.request_id and raised.value.type and raised.value.api_message
    assert "vendor-secret" not in str(raised.value)


@pytest.mark.parametrize("ask, kind", [
    *((create, kind) for kind in SCENARIOS["failover"]["unary"]),
    *((streamed, kind) for kind in SCENARIOS["failover"]["stream"])])
def test_failover(stage, client, ask, kind):
    stage.fault(LEAD, kind)
    assert text_of(ask(client, ROUTES["first"], user("Hello"))) == "You said: Hello"
    assert stage.journal(LEAD)[0]["fault"] == kind and stage.counts()[STANDBY] == 1


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("kind", SCENARIOS["broken"])
def test_broken(stage, client, model, kind):
    """A failure after content is an error, never a clean end."""
    stage.fault(vendor_of(model), kind)
    seen = []
    with pytest.raises(anthropic.APIError):
        for event in create(client, model, user("one two three four five six"), tools=TOOLS, tool_choice={"type": "none"}, stream=True):
            seen.append(event.type)
    assert "content_block_delta" in seen and "message_stop" not in seen


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("stream", [False, True])
def test_timeout(stage, client, model, stream):
    stage.fault(vendor_of(model), "hang")
    with pytest.raises(anthropic.APITimeoutError):
        create(client, model, user("Hello"), stream=stream, timeout=0.3)
    assert stage.cancelled_within(vendor_of(model), time.time(), 1)


@pytest.mark.parametrize("model", BOTH)
def test_cancel(stage, client, model):
    stage.fault(vendor_of(model), "stall")
    with client.messages.stream(model=model, messages=user("one two three four five six"), max_tokens=99) as stream:
        next(stream.text_stream)
    assert stage.cancelled_within(vendor_of(model), time.time(), 1)


@pytest.mark.parametrize("model", BOTH)
def test_retries(stage, client, model):
    vendor = vendor_of(model)
    stage.fault(vendor, "rate-429-ms", once=True)
    with pytest.raises(anthropic.RateLimitError):
        create(client, model, user("Hello"))
    stage.fault(vendor, "rate-429-ms", once=True)
    answer = create(client.with_options(max_retries=anthropic.DEFAULT_MAX_RETRIES), model, user("Hello"))
    assert text_of(answer) == "You said: Hello"
    assert stage.counts()[vendor] == 3


def test_all_down(stage, client):
    """When every target has failed, the SDK is told not to try by itself."""
    for vendor in (LEAD, STANDBY):
        stage.fault(vendor, "internal-500")
    with pytest.raises(anthropic.InternalServerError):
        create(client.with_options(max_retries=anthropic.DEFAULT_MAX_RETRIES), ROUTES["first"], user("Hello"))
    assert stage.counts() == {LEAD: 1, STANDBY: 1}


def test_all_silent(stage, client):
    """A client that heartbeats have kept waiting is told in the stream that nobody answers."""
    for vendor in (LEAD, STANDBY):
        stage.fault(vendor, "stall-start")
    with pytest.raises(anthropic.APIError):
        streamed(client, ROUTES["first"], user("Hello"))


@pytest.mark.parametrize("model", BOTH)
def test_async(stage, async_client, model):
    async def play():
        async with async_client as client:
            several = await asyncio.gather(*(create(client, model, user(f"Hello {n}")) for n in range(8)))
            assert [text_of(a) for a in several] == [f"You said: Hello {n}" for n in range(8)]
            stage.replies(vendor_of(model), SCENARIOS["tools"]["turns"][0])
            async with client.messages.stream(model=model, messages=user("Weather?"), max_tokens=99, tools=TOOLS) as stream:
                message = await stream.get_final_message()
            assert [(b.name, b.input) for b in message.content[1:]] == [("weather", {"city": "Oslo"}), ("now", {})]
            stage.fault(vendor_of(model), "hang")
            task = asyncio.create_task(create(client, model, user("Hello")))
            await asyncio.sleep(0.3)
            task.cancel()
            left = time.time()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(stage.cancelled_within, vendor_of(model), left, 1)
            stage.reset()
            stage.fault(vendor_of(model), "overloaded-stream")
            with pytest.raises(anthropic.APIError):
                async for _ in await create(client, model, user("one two three four five six"), stream=True):
                    pass

    asyncio.run(play())
