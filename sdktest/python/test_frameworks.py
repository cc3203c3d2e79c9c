"""What applications are built with on top of the SDKs: the base URL and the key are all that changes."""

import asyncio
import json
import os

import pytest
from anthropic import AsyncAnthropic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from test_openai import City

from stage import ALL, run_tool

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it looks prices up on the web as it is imported
import litellm  # noqa: E402


# Where a call cannot be forced, in whose arguments the structured output comes.
UNFORCED = ["ollama-only"]


def weather(city: str) -> str:
    """Tells the weather of a city."""
    return run_tool("weather", {"city": city})


LANGCHAIN = {
    "openai": lambda at, model: ChatOpenAI(base_url=at + "/v1", api_key="client-key", model=model, stream_usage=True),
    "responses": lambda at, model: ChatOpenAI(base_url=at + "/v1", api_key="client-key", model=model, use_responses_api=True),
    "anthropic": lambda at, model: ChatAnthropic(base_url=at, api_key="client-key", model=model, max_tokens=999),
    "gemini": lambda at, model: ChatGoogleGenerativeAI(base_url=at, google_api_key="client-key", model=model),
}


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("package", LANGCHAIN)
def test_langchain(stage, package, model):
    chat = LANGCHAIN[package](stage.gateway, model)
    answer = chat.invoke("the sea")
    assert answer.text == "You said: the sea" and answer.usage_metadata["total_tokens"] > 0
    pieces = list(chat.stream("the sea"))
    assert len(pieces) > 2 and "".join(piece.text for piece in pieces) == "You said: the sea"
    able = chat.bind_tools([tool(weather)])
    messages = [HumanMessage("Weather?")]
    messages.append(able.invoke(messages))
    (call,) = messages[-1].tool_calls
    messages.append(tool(weather).invoke(call))
    whole = None
    for piece in able.stream(messages):
        whole = piece if whole is None else whole + piece
    assert "rain in" in whole.text
    if model not in UNFORCED:
        city = chat.with_structured_output(City).invoke("A city.")
        assert isinstance(city, City) and city.people == 7


def test_langchain_embeddings(stage):
    at = OpenAIEmbeddings(base_url=stage.gateway + "/v1", api_key="client-key", model="openai/text-embedding-3-small", check_embedding_ctx_length=False)
    one, other = at.embed_documents(["sea", "sand"])
    assert at.embed_query("sea") == one != other


PYDANTIC_AI = {
    "openai": lambda at, model: OpenAIChatModel(model, provider=OpenAIProvider(base_url=at + "/v1", api_key="client-key")),
    "responses": lambda at, model: OpenAIResponsesModel(model, provider=OpenAIProvider(base_url=at + "/v1", api_key="client-key")),
    "anthropic": lambda at, model: AnthropicModel(
        model, provider=AnthropicProvider(anthropic_client=AsyncAnthropic(base_url=at, api_key="client-key"))),
}


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("package", PYDANTIC_AI)
def test_pydantic_ai(stage, package, model):
    async def play():
        at = PYDANTIC_AI[package](stage.gateway, model)
        assert (await Agent(at, system_prompt="Be brief.").run("the sea")).output == "You said: the sea"
        able = Agent(at, tools=[weather])
        answer = await able.run("Weather?")
        assert "rain in" in answer.output
        async with able.run_stream("And now?", message_history=answer.all_messages()) as stream:
            assert "rain in" in await stream.get_output()
        if model not in UNFORCED:
            city = (await Agent(at, output_type=City).run("A city.")).output
            assert city.people == 7 and city.rivers

    asyncio.run(play())


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("api, path", [("openai", "/v1"), ("anthropic", "")])
def test_litellm(stage, api, path, model):
    def ask(messages, **more):
        return litellm.completion(model=f"{api}/{model}", api_base=stage.gateway + path, api_key="client-key", messages=messages, **more)
    messages = [{"role": "user", "content": "Weather?"}]
    assert ask(messages).choices[0].message.content == "You said: Weather?"
    pieces = [piece.choices[0].delta.content or "" for piece in ask(messages, stream=True)]
    assert "".join(pieces) == "You said: Weather?"
    tools = [{"type": "function", "function": {"name": "weather", "description": "Tells the weather.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
    message = ask(messages, tools=tools).choices[0].message
    (call,) = message.tool_calls
    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}]
    assert "rain in" in ask(messages, tools=tools).choices[0].message.content
