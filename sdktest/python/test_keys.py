"""A key that the gateway does not know, in each SDK's own words."""

import anthropic
import cohere
import openai
import pytest
from google import genai

# One that the gateway could have made and has not: nobody is let in with it.
UNKNOWN = "us-" + "a" * 52


def user(content):
    return [{"role": "user", "content": content}]


def test_openai(stage):
    with openai.OpenAI(base_url=stage.gateway + "/v1", api_key=UNKNOWN, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as e:
            client.chat.completions.create(model="any", messages=user("hi"))
    assert e.value.code == "invalid_api_key"


def test_azure(stage):
    with openai.AzureOpenAI(azure_endpoint=stage.gateway, api_key=UNKNOWN, api_version="2024-10-21", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(model="any", messages=user("hi"))


def test_anthropic(stage):
    with anthropic.Anthropic(base_url=stage.gateway, api_key=UNKNOWN, max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError):
            client.messages.create(model="any", max_tokens=9, messages=user("hi"))


def test_google(stage):
    client = genai.Client(api_key=UNKNOWN, http_options={"base_url": stage.gateway})
    with pytest.raises(genai.errors.ClientError) as e:
        client.models.generate_content(model="any", contents="hi")
    assert (e.value.code, e.value.status) == (401, "UNAUTHENTICATED")


def test_cohere(stage):
    client = cohere.ClientV2(base_url=stage.gateway, api_key=UNKNOWN)
    with pytest.raises(cohere.errors.UnauthorizedError):
        client.chat(model="any", messages=user("hi"))
