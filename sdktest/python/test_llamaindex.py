"""LlamaIndex, with its packages for the vendors' APIs: the base URL and the key are all that changes."""

import asyncio

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage, LLMMetadata
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.bedrock_converse import BedrockConverse
from llama_index.llms.google_genai import GoogleGenAI
from llama_index.llms.ollama import Ollama
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from stage import ALL, run_tool


class City(BaseModel):
    name: str
    people: int
    rivers: list[str]


def weather(city: str) -> str:
    """Tells the weather of a city."""
    return run_tool("weather", {"city": city})


class AnyName:
    """A package that knows its vendor's models by name, with models of other names."""

    @property
    def metadata(self):
        return LLMMetadata(context_window=99999, is_chat_model=True, is_function_calling_model=True, model_name=self.model)


class AnyAnthropic(AnyName, Anthropic):
    pass


class AnyBedrock(AnyName, BedrockConverse):
    pass


PACKAGES = {
    "openai": lambda at, model: OpenAILike(
        api_base=at + "/v1", api_key="client-key", model=model, is_chat_model=True, is_function_calling_model=True, max_retries=0),
    "anthropic": lambda at, model: AnyAnthropic(base_url=at, api_key="client-key", model=model, max_retries=0),
    "gemini": lambda at, model: GoogleGenAI(api_key="client-key", model=model, http_options={"base_url": at}, context_window=99999),
    "bedrock": lambda at, model: AnyBedrock(
        model=model, endpoint_url=at, region_name="us-east-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="client-secret"),
    "ollama": lambda at, model: Ollama(base_url=at, model=model, context_window=9999),
}


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("package", PACKAGES)
def test_chat(stage, package, model):
    llm = PACKAGES[package](stage.gateway, model)
    messages = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content="the sea")]
    assert llm.chat(messages).message.content == "You said: the sea"
    pieces = [piece.delta or "" for piece in llm.stream_chat(messages)]
    assert len([piece for piece in pieces if piece]) > 1 and "".join(pieces) == "You said: the sea"


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("package", PACKAGES)
def test_tools(stage, package, model):
    llm = PACKAGES[package](stage.gateway, model)
    tool = FunctionTool.from_defaults(weather)
    answer = llm.chat_with_tools([tool], user_msg="Weather?")
    (call,) = llm.get_tool_calls_from_response(answer)
    assert call.tool_name == "weather" and "rain in" in weather(**call.tool_kwargs)

    async def play():
        return await FunctionAgent(tools=[tool], llm=llm).run("Weather?")

    assert "rain in" in str(asyncio.run(play()))


@pytest.mark.parametrize("model", [model for model in ALL if model != "ollama-only"])  # where a call cannot be forced
def test_structured(stage, model):
    llm = PACKAGES["openai"](stage.gateway, model)
    city = llm.structured_predict(City, PromptTemplate("A city."))
    assert city.people == 7 and city.rivers


def test_embeddings(stage):
    at = OpenAIEmbedding(api_base=stage.gateway + "/v1", api_key="client-key", model_name="openai/text-embedding-3-small")
    one, other = at.get_text_embedding_batch(["sea", "sand"])
    assert at.get_query_embedding("sea") == one != other


@pytest.mark.parametrize("package", PACKAGES)
def test_failover(stage, package):
    stage.fault(package, "html-200")
    answer = PACKAGES[package](stage.gateway, f"{package}-first").chat([ChatMessage(role="user", content="the sea")])
    assert answer.message.content == "You said: the sea"
