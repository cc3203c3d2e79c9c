"""OpenAI's SDK with what nobody translates: the gateway passes it on, under the model's name at the vendor."""

import asyncio

import openai
import pytest

from stage import PIXEL


@pytest.fixture
def client(stage):
    with openai.OpenAI(base_url=stage.gateway + "/v1", api_key="client-key", max_retries=0) as client:
        yield client


def test_speech(client, tmp_path):
    spoken = client.audio.speech.create(model="openai/tts-1", voice="alloy", input="the sea")
    assert spoken.read().endswith(b"the sea")
    with client.audio.speech.with_streaming_response.create(model="openai/tts-1", voice="alloy", input="the sea") as streamed:
        streamed.stream_to_file(tmp_path / "sea.wav")
        assert streamed.headers["content-type"] == "audio/wav"
    assert (tmp_path / "sea.wav").read_bytes() == spoken.content


def test_transcription(client):
    heard = client.audio.transcriptions.create(model="openai/whisper-1", file=("sea.wav", b"RIFF....WAVEfmt the sea"))
    assert heard.text == "the sea"


def test_image(client):
    drawn = client.images.generate(model="openai/gpt-image-1", prompt="the sea").data[0]
    assert (drawn.b64_json, drawn.revised_prompt) == ("iVBORw==", "the sea")


def test_moderation(client):
    seen = [client.moderations.create(model="openai/omni-moderation-latest", input=text).results[0].flagged for text in ("the sea", "violence")]
    assert seen == [False, True]


def test_files_and_batches(client):
    line = b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n'
    kept = client.files.create(file=("asked.jsonl", line), purpose="batch")
    assert (client.files.retrieve(kept.id).filename, client.files.content(kept.id).read()) == ("asked.jsonl", line)
    batch = client.batches.create(input_file_id=kept.id, endpoint="/v1/chat/completions", completion_window="24h")
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed" and client.files.content(batch.output_file_id).read() == line
    picture = client.files.create(file=("pixel.png", PIXEL), purpose="vision")
    assert picture.bytes == len(PIXEL) and client.files.content(picture.id).read() == PIXEL
    assert client.files.delete(kept.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve("file-of-nobody")


def test_embeddings(client):
    for model in ("openai/text-embedding-3-small", "cohere/embed-v4.0"):
        answer = client.embeddings.create(model=model, input=["sea", "sand"])
        assert [len(vector.embedding) > 0 for vector in answer.data] == [True, True]
        assert answer.data[0].embedding != answer.data[1].embedding


def test_realtime(stage):
    async def play():
        client = openai.AsyncOpenAI(base_url=stage.gateway + "/v1", api_key="client-key", max_retries=0)
        async with client, client.realtime.connect(model="openai/gpt-realtime") as session:
            created = await session.recv()
            assert (created.type, created.session.model) == ("session.created", "gpt-realtime")
            await session.conversation.item.create(item={
                "type": "message", "role": "user", "content": [{"type": "input_text", "text": "the sea"}]})
            await session.response.create()
            said = []
            async for event in session:
                said.append(event)
                if event.type == "response.done":
                    break
            assert [event.type for event in said] == ["response.output_text.done", "response.done"]
            assert said[0].text == "You said: the sea"

    asyncio.run(play())


def test_models_that_nobody_serves(client):
    """Only a provider that serves the operation may be asked."""
    with pytest.raises(openai.APIStatusError) as raised:
        client.images.generate(model="anthropic-only", prompt="the sea")
    assert raised.value.status_code == 501
