package sdktest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/azure"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/realtime"
)

// azureClient is the SDK's client for Azure, which takes plain HTTP only at this machine, and only if told to.
func azureClient(s stage) openai.Client {
	return openai.NewClient(
		azure.WithEndpoint(s.Gateway, "2024-10-21"), azure.WithAPIKey("client-key"), azure.WithUnsafeAllowHTTP(), option.WithMaxRetries(0),
	)
}

func TestAzure(t *testing.T) {
	for _, model := range scenarios.Every {
		for way, ask := range openaiAsks {
			t.Run(model+"/"+way, func(t *testing.T) {
				answer, err := ask(t.Context(), azureClient(set(t)), openaiParams(model, "Guten Tag"))
				if err != nil {
					t.Fatal(err)
				}
				wantText(t, answer.Choices[0].Message.Content, "You said: Guten Tag")
			})
		}
	}
	t.Run("no such deployment", func(t *testing.T) {
		_, err := openaiCreate(t.Context(), azureClient(set(t)), openaiParams("no-such-model", "Guten Tag"))
		wantOpenAIError(t, err, 404)
	})
	t.Run("embeddings", func(t *testing.T) { wantVectors(t, azureClient(set(t)), "openai/text-embedding-3-small") })
}

func wantVectors(t *testing.T, c openai.Client, model string) {
	t.Helper()
	answer, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
		Model: model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"sea", "sand"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := answer.Data; len(d) != 2 || len(d[0].Embedding) == 0 || slices.Equal(d[0].Embedding, d[1].Embedding) {
		t.Errorf("got %s want two vectors that differ", answer.RawJSON())
	}
}

func TestOpenAIEmbeddings(t *testing.T) {
	for _, model := range []string{"openai/text-embedding-3-small", "cohere/embed-v4.0", "gemini/gemini-embedding-001"} {
		t.Run(model, func(t *testing.T) { wantVectors(t, openaiClient(set(t)), model) })
	}
}

func TestOpenAIAudio(t *testing.T) {
	c := openaiClient(set(t))
	spoken, err := c.Audio.Speech.New(t.Context(), openai.AudioSpeechNewParams{
		Model: "openai/tts-1", Voice: openai.AudioSpeechNewParamsVoiceUnion{OfString: openai.String("alloy")}, Input: "the sea",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = spoken.Body.Close() }()
	sound, err := io.ReadAll(io.LimitReader(spoken.Body, 1<<20))
	if err != nil || !strings.HasSuffix(string(sound), "the sea") {
		t.Fatalf("got sound %q, %v want the text in it", sound, err)
	}
	heard, err := c.Audio.Transcriptions.New(t.Context(), openai.AudioTranscriptionNewParams{
		Model: "openai/whisper-1", File: openai.File(bytes.NewReader(sound), "sea.wav", "audio/wav"),
	})
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, heard.Text, "the sea")
}

func TestOpenAIImages(t *testing.T) {
	c := openaiClient(set(t))
	drawn, err := c.Images.Generate(t.Context(), openai.ImageGenerateParams{Model: "openai/gpt-image-1", Prompt: "the sea"})
	if err != nil || len(drawn.Data) != 1 {
		t.Fatalf("got %+v, %v want an image", drawn, err)
	}
	wantText(t, drawn.Data[0].B64JSON+"|"+drawn.Data[0].RevisedPrompt, "iVBORw==|the sea")
	_, err = c.Images.Generate(t.Context(), openai.ImageGenerateParams{Model: "anthropic-only", Prompt: "the sea"})
	wantOpenAIError(t, err, 501)
}

func TestOpenAIModerations(t *testing.T) {
	c := openaiClient(set(t))
	for text, want := range map[string]bool{"the sea": false, "violence": true} {
		seen, err := c.Moderations.New(t.Context(), openai.ModerationNewParams{
			Model: "openai/omni-moderation-latest", Input: openai.ModerationNewParamsInputUnion{OfString: openai.String(text)},
		})
		if err != nil || len(seen.Results) != 1 || seen.Results[0].Flagged != want {
			t.Errorf("%s: got %+v, %v want flagged %v", text, seen, err, want)
		}
	}
}

func TestOpenAIFiles(t *testing.T) {
	c := openaiClient(set(t))
	const line = `{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {}}` + "\n"
	kept, err := c.Files.New(t.Context(), openai.FileNewParams{
		File: openai.File(strings.NewReader(line), "asked.jsonl", "application/jsonl"), Purpose: openai.FilePurposeBatch,
	})
	if err != nil {
		t.Fatal(err)
	}
	started, err := c.Batches.New(t.Context(), openai.BatchNewParams{
		InputFileID: kept.ID, Endpoint: openai.BatchNewParamsEndpointV1ChatCompletions, CompletionWindow: openai.BatchNewParamsCompletionWindow24h,
	})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := c.Batches.Get(t.Context(), started.ID)
	if err != nil || batch.Status != openai.BatchStatusCompleted {
		t.Fatalf("got %+v, %v want a batch that is done", batch, err)
	}
	for _, id := range []string{kept.ID, batch.OutputFileID} {
		content, err := c.Files.Content(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(io.LimitReader(content.Body, 1<<20))
		_ = content.Body.Close()
		if err != nil || string(text) != line {
			t.Errorf("%s: got %q, %v want %q", id, text, err, line)
		}
	}
	if gone, err := c.Files.Delete(t.Context(), kept.ID); err != nil || !gone.Deleted {
		t.Errorf("got %+v, %v want the file deleted", gone, err)
	}
	_, err = c.Files.Get(t.Context(), "file-of-nobody")
	wantOpenAIError(t, err, 404)
}

func TestOpenAIRealtime(t *testing.T) {
	c := openaiClient(set(t))
	session, err := c.Realtime.Connect(t.Context(), realtime.RealtimeConnectionOptions{}, option.WithQuery("model", "openai/gpt-realtime"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	for _, event := range []string{
		`{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"the sea"}]}}`,
		`{"type":"response.create"}`,
	} {
		if err := session.SendRaw(t.Context(), []byte(event)); err != nil {
			t.Fatal(err)
		}
	}
	types, said := []string{}, ""
	for range 3 {
		event, err := session.Recv(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, event.Type)
		if event.Type == "response.output_text.done" {
			var done struct{ Text string }
			if err := json.Unmarshal([]byte(event.RawJSON()), &done); err != nil {
				t.Fatal(err)
			}
			said = done.Text
		}
	}
	wantText(t, strings.Join(types, " ")+"|"+said, "session.created response.output_text.done response.done|You said: the sea")
}
