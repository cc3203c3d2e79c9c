"""OpenAI's SDK: with its own vendor behind the gateway, with the other one, and in the main with every vendor."""

import asyncio
import base64
import json
import time

import openai
import pydantic
import pytest

from stage import ALL, PAGE, PIXEL, SCENARIOS, run_tool, vendor_of

ROUTES = SCENARIOS["routes"]["openai"]
BOTH = [ROUTES["own"], ROUTES["other"]]
LEAD, STANDBY = "openai", "anthropic"
TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Tells the weather.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "now", "description": "Tells the time."}},
]
CLASSES = {
    400: openai.BadRequestError, 404: openai.NotFoundError, 409: openai.ConflictError, 413: openai.APIStatusError,
    422: openai.UnprocessableEntityError, 429: openai.RateLimitError, 500: openai.InternalServerError,
    502: openai.InternalServerError, 503: openai.InternalServerError, 529: openai.InternalServerError,
}


class City(pydantic.BaseModel):
    name: str
    people: int
    rivers: list[str]


@pytest.fixture
def client(stage):
    with openai.OpenAI(base_url=stage.gateway + "/v1", api_key="client-key", max_retries=0) as client:
        yield client


@pytest.fixture
def async_client(stage):
    return openai.AsyncOpenAI(base_url=stage.gateway + "/v1", api_key="client-key", max_retries=0)


def user(content):
    return [{"role": "user", "content": content}]


def create(client, model, messages, **more):
    return client.chat.completions.create(model=model, messages=messages, **more)


def streamed(client, model, messages, **more):
    """Stream the answer through the SDK's own accumulator."""
    with client.chat.completions.stream(model=model, messages=messages, **more) as stream:
        stream.until_done()
        return stream.get_final_completion()


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("ask", [create, streamed])
def test_text(client, model, ask):
    messages = [{"role": "system", "content": "Be brief."}, *user("Guten Tag, Łódź ☀")]
    answer = ask(client, model, messages)
    assert answer.choices[0].message.content == "You said: Guten Tag, Łódź ☀"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "chat.completion" and answer.id and answer.created > 1.7e9


@pytest.fixture(params=["deployments", "one deployment", "v1"])
def azure(request, stage):
    """The SDK's clients for Azure, in the ways they are set up."""
    at = stage.gateway
    if request.param == "v1":
        return lambda model: openai.OpenAI(base_url=at + "/openai/v1/", api_key="client-key", max_retries=0)
    return lambda model: openai.AzureOpenAI(
        azure_endpoint=at, api_version="2024-10-21", api_key="client-key", max_retries=0,
        azure_deployment=model if request.param == "one deployment" else None)


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("ask", [create, streamed])
def test_azure(azure, model, ask):
    with azure(model) as client:
        answer = ask(client, model, user("Guten Tag"))
        assert answer.choices[0].message.content == "You said: Guten Tag"
        assert answer.choices[0].finish_reason == "stop"


def test_azure_errors(azure):
    with azure("nowhere") as client, pytest.raises(openai.NotFoundError) as failed:
        create(client, "nowhere", user("Hello"))
    assert failed.value.code == "model_not_found"


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("ask, more", [(create, {}), (streamed, {"stream_options": {"include_usage": True}})])
def test_usage(stage, client, model, ask, more):
    stage.replies(vendor_of(model), SCENARIOS["usage"]["reply"])
    u = ask(client, model, user("Count."), **more).usage
    got = {"prompt": u.prompt_tokens, "completion": u.completion_tokens, "total": u.total_tokens,
           "cached": u.prompt_tokens_details.cached_tokens}
    assert got == SCENARIOS["usage"]["openai"]


def test_usage_unasked(client):
    """The gateway asks for usage itself; the client must see no trace of that."""
    chunks = list(create(client, ROUTES["own"], user("Hello"), stream=True))
    assert all(c.usage is None and len(c.choices) == 1 for c in chunks)


def replayed(message):
    """The answer as part of the next question, without what only the SDK's accumulator knows."""
    calls = {"__all__": {"index": True, "function": {"parsed_arguments"}}}
    return message.model_dump(exclude_none=True, exclude={"parsed": True, "annotations": True, "tool_calls": calls})


def tool_loop(client, model, ask, turn=lambda n: None):
    messages = user("Weather and time?")
    for n in range(1, 4):
        turn(n)
        message = ask(client, model, messages, tools=TOOLS).choices[0].message
        messages.append(replayed(message))
        for call in message.tool_calls or []:
            result = run_tool(call.function.name, json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return messages


def check_tool_loop(messages):
    names = [[c["function"]["name"] for c in m["tool_calls"]] for m in messages if m.get("tool_calls")]
    assert names == [["weather", "now"], ["weather", "weather"]]
    results = [m["content"] for m in messages if m["role"] == "tool"]
    assert results == ["rain in Oslo", "noon", 'rain in Łódź "old"', "rain in Bern"]
    assert messages[1]["content"] == "I look."
    assert messages[-1]["content"] == SCENARIOS["tools"]["said"]


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


MEDIA = {
    "image": ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(PIXEL).decode()}},
              f"image/png of {len(PIXEL)} bytes"),
    "image by URL": ({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                     "image at https://example.com/a.png"),
    "document": ({"type": "file", "file": {
        "filename": "page.pdf", "file_data": "data:application/pdf;base64," + base64.b64encode(PAGE).decode()}},
        f"application/pdf of {len(PAGE)} bytes"),
}


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("kind", MEDIA)
def test_media(client, model, kind):
    part, seen = MEDIA[kind]
    answer = create(client, model, user([{"type": "text", "text": "What is it?"}, part]))
    assert answer.choices[0].message.content == f"I see {seen}. You said: What is it?"


def parsed(client, model, messages, **more):
    return client.chat.completions.parse(model=model, messages=messages, **more)


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("ask", [parsed, streamed])
def test_schema(client, model, ask):
    city = ask(client, model, user("A city."), response_format=City).choices[0].message.parsed
    assert isinstance(city, City) and city.people == 7 and city.rivers


@pytest.mark.parametrize("ask", [create, streamed])
@pytest.mark.parametrize("model", BOTH)
def test_citations(stage, client, model, ask):
    stage.replies(vendor_of(model), SCENARIOS["citations"]["reply"])
    message = ask(client, model, user("Does it rain?")).choices[0].message
    assert message.content == "It rains."
    urls = [note["url_citation"]["url"] for note in message.model_dump()["annotations"]]
    assert urls == SCENARIOS["citations"]["urls"]


@pytest.mark.parametrize("ask", [create, streamed])
@pytest.mark.parametrize("then", BOTH)
def test_thinking(stage, client, ask, then):
    """Thoughts of the other vendor are shown, and may come back to either in the next turn."""
    stage.replies(STANDBY, SCENARIOS["thinking"]["tools"])
    messages = user("What time is it?")
    more = {"tools": TOOLS, "reasoning_effort": "high"}
    message = ask(client, ROUTES["other"], messages, **more).choices[0].message
    assert message.model_extra["reasoning_content"] == SCENARIOS["thinking"]["thought"]
    assert "thinking" in stage.journal(STANDBY)[-1]["body"]
    messages += [replayed(message), {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "noon"}]
    assert ask(client, then, messages, tools=TOOLS).choices[0].message.content == SCENARIOS["thinking"]["said"]


def test_effort(stage, client):
    create(client, "openai/gpt-5", user("Hello"), reasoning_effort="low")
    assert stage.journal(LEAD)[-1]["body"]["reasoning_effort"] == "low"


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("ask", [create, streamed])
def test_stop(client, model, ask):
    choice = ask(client, model, user("one two tree four"), stop=["tree", "none"]).choices[0]
    assert (choice.message.content.strip(), choice.finish_reason) == ("You said: one two", "stop")


@pytest.mark.parametrize("model", ALL)
def test_limit(client, model):
    choice = create(client, model, user("one two three four"), max_completion_tokens=3).choices[0]
    assert (choice.message.content.strip(), choice.finish_reason) == ("You said: one", "length")


def test_models(client):
    names = {model.id for model in client.models.list()}
    assert names >= {"openai-only", "anthropic-only", "openai-first", "anthropic-first"}
    assert client.models.retrieve("openai-first").id == "openai-first"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")
    with pytest.raises(openai.NotFoundError):
        create(client, "no-such-model", user("Hello"))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("side", ["own", "other"])
@pytest.mark.parametrize("row", SCENARIOS["errors"], ids=lambda row: row["fault"])
def test_errors(stage, client, row, side, stream):
    want = row["openai"][side]
    stage.fault(vendor_of(ROUTES[side]), row["fault"])
    with pytest.raises(CLASSES[want]) as raised:
        create(client, ROUTES[side], user("Hello"), stream=stream)
    assert raised.value.status_code == want
    assert raised.value.request_id and raised.value.body["message"]
    assert "vendor-secret" not in str(raised.value)


@pytest.mark.parametrize("ask, kind", [
    *((create, kind) for kind in SCENARIOS["failover"]["unary"]),
    *((streamed, kind) for kind in SCENARIOS["failover"]["stream"])])
def test_failover(stage, client, ask, kind):
    stage.fault(LEAD, kind)
    answer = ask(client, ROUTES["first"], user("Hello"))
    assert answer.choices[0].message.content == "You said: Hello"
    assert stage.journal(LEAD)[0]["fault"] == kind and stage.counts()[STANDBY] == 1


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("kind", SCENARIOS["broken"])
def test_broken(stage, client, model, kind):
    """A failure after content is an error, never a clean end."""
    stage.fault(vendor_of(model), kind)
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in create(client, model, user("one two three four five six"), tools=TOOLS, tool_choice="none", stream=True):
            seen.append(chunk)
    assert seen


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("stream", [False, True])
def test_timeout(stage, client, model, stream):
    stage.fault(vendor_of(model), "hang")
    with pytest.raises(openai.APITimeoutError):
        create(client, model, user("Hello"), stream=stream, timeout=0.3)
    assert stage.cancelled_within(vendor_of(model), time.time(), 1)


@pytest.mark.parametrize("model", BOTH)
def test_cancel(stage, client, model):
    stage.fault(vendor_of(model), "stall")
    with create(client, model, user("one two three four five six"), stream=True) as stream:
        next(iter(stream))
    assert stage.cancelled_within(vendor_of(model), time.time(), 1)


@pytest.mark.parametrize("model", BOTH)
def test_retries(stage, client, model):
    vendor = vendor_of(model)
    stage.fault(vendor, "rate-429-ms", once=True)
    with pytest.raises(openai.RateLimitError):
        create(client, model, user("Hello"))
    stage.fault(vendor, "rate-429-ms", once=True)
    answer = create(client.with_options(max_retries=openai.DEFAULT_MAX_RETRIES), model, user("Hello"))
    assert answer.choices[0].message.content == "You said: Hello"
    assert stage.counts()[vendor] == 3


def test_all_down(stage, client):
    """When every target has failed, the SDK is told not to try by itself."""
    for vendor in (LEAD, STANDBY):
        stage.fault(vendor, "internal-500")
    with pytest.raises(openai.InternalServerError):
        create(client.with_options(max_retries=openai.DEFAULT_MAX_RETRIES), ROUTES["first"], user("Hello"))
    assert stage.counts() == {LEAD: 1, STANDBY: 1}


def test_all_silent(stage, client):
    """A client that heartbeats have kept waiting is told in the stream that nobody answers."""
    for vendor in (LEAD, STANDBY):
        stage.fault(vendor, "stall-start")
    with pytest.raises(openai.APIError):
        streamed(client, ROUTES["first"], user("Hello"))


@pytest.mark.parametrize("model", BOTH)
def test_async(stage, async_client, model):
    async def play():
        async with async_client as client:
            several = await asyncio.gather(*(create(client, model, user(f"Hello {n}")) for n in range(8)))
            assert [a.choices[0].message.content for a in several] == [f"You said: Hello {n}" for n in range(8)]
            stage.replies(vendor_of(model), SCENARIOS["tools"]["turns"][0])
            async with client.chat.completions.stream(model=model, messages=user("Weather?"), tools=TOOLS) as stream:
                message = (await stream.get_final_completion()).choices[0].message
            assert [c.function.name for c in message.tool_calls] == ["weather", "now"]
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
            with pytest.raises(openai.APIError):
                async for _ in await create(client, model, user("one two three four five six"), stream=True):
                    pass

    asyncio.run(play())
