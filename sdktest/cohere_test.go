package sdktest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	cohere "github.com/cohere-ai/cohere-go/v2"
	"github.com/cohere-ai/cohere-go/v2/client"
	"github.com/cohere-ai/cohere-go/v2/option"
)

func cohereClient(s stage) *client.Client {
	return client.NewClient(
		client.WithBaseURL(s.Gateway), client.WithToken("client-key"), option.WithMaxAttempts(1), option.WithHTTPClient(byLine{}),
	)
}

// byLine reads streams so that each read ends with a line of data. The SDK takes whatever a read ends
// with for a message, the empty line between two events included.
type byLine struct{}

func (byLine) Do(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultClient.Do(r)
	if err == nil && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		resp.Body = &lineReader{ReadCloser: resp.Body, lines: bufio.NewReader(resp.Body)}
	}
	return resp, err
}

type lineReader struct {
	io.ReadCloser
	lines *bufio.Reader
	left  []byte // of the line that is being read
}

func (r *lineReader) Read(b []byte) (int, error) {
	for len(r.left) == 0 {
		line, err := r.lines.ReadBytes('\n')
		if err != nil {
			return 0, err
		}
		if bytes.HasPrefix(line, []byte("data:")) {
			r.left = line
		}
	}
	n := copy(b, r.left)
	r.left = r.left[n:]
	return n, nil
}

// cohereTalk is a conversation by Cohere's Chat, version 2.
type cohereTalk struct {
	*client.Client
	model    string
	offer    offer
	messages cohere.ChatMessages
}

func beginCohere(s stage, model string, o offer) talk {
	k := &cohereTalk{Client: cohereClient(s), model: model, offer: o}
	if o.System != "" {
		k.messages = cohere.ChatMessages{{Role: "system", System: &cohere.SystemMessageV2{Content: &cohere.SystemMessageV2Content{String: o.System}}}}
	}
	return k
}

func (k *cohereTalk) say(text string, image []byte) {
	content := &cohere.UserMessageV2Content{String: text}
	if image != nil {
		content = &cohere.UserMessageV2Content{ContentList: []*cohere.Content{
			{Type: "text", Text: &cohere.ChatTextContent{Text: text}},
			{Type: "image_url", ImageUrl: &cohere.ImageContent{ImageUrl: &cohere.ImageUrl{Url: pngURI(image)}}},
		}}
	}
	k.messages = append(k.messages, &cohere.ChatMessageV2{Role: "user", User: &cohere.UserMessageV2{Content: content}})
}

func (k *cohereTalk) result(results []result) {
	for _, r := range results {
		k.messages = append(k.messages, &cohere.ChatMessageV2{Role: "tool", Tool: &cohere.ToolMessageV2{
			ToolCallId: r.ID, Content: &cohere.ToolMessageV2Content{String: r.Text},
		}})
	}
}

func (k *cohereTalk) limit() *int {
	if k.offer.Limit == 0 {
		return nil
	}
	return &k.offer.Limit
}

func (k *cohereTalk) tools() (all []*cohere.ToolV2) {
	if !k.offer.Tools {
		return nil
	}
	for name, schema := range toolSchemas() {
		all = append(all, &cohere.ToolV2{Type: cohere.String("function"), Function: &cohere.ToolV2Function{
			Name: name, Description: cohere.String("Tells the " + name + "."), Parameters: schema,
		}})
	}
	return all
}

func (k *cohereTalk) ask(ctx context.Context) (said, error) {
	answer, err := k.V2.Chat(ctx, &cohere.V2ChatRequest{Model: k.model, Messages: k.messages, Tools: k.tools(), MaxTokens: k.limit()})
	if err != nil {
		return said{}, err
	}
	text := ""
	for _, part := range answer.Message.Content {
		if part.Text != nil {
			text += part.Text.Text
		}
	}
	return k.answered(text, answer.Message.ToolPlan, answer.Message.ToolCalls, answer.FinishReason, answer.Usage)
}

func (k *cohereTalk) stream(ctx context.Context) (said, error) {
	stream, err := k.V2.ChatStream(ctx, &cohere.V2ChatStreamRequest{Model: k.model, Messages: k.messages, Tools: k.tools(), MaxTokens: k.limit()})
	if err != nil {
		return said{}, err
	}
	defer func() { _ = stream.Close() }()
	text, plan := "", (*string)(nil)
	var calls []*cohere.ToolCallV2
	for {
		event, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return said{}, errCut
		case err != nil:
			return said{}, err
		case event.ContentDelta != nil:
			if piece := event.ContentDelta.Delta.Message.Content.Text; piece != nil {
				text += *piece
			}
		case event.ToolPlanDelta != nil:
			plan = joined(plan, event.ToolPlanDelta.Delta.Message.ToolPlan)
		case event.ToolCallStart != nil:
			calls = append(calls, event.ToolCallStart.Delta.Message.ToolCalls)
		case event.ToolCallDelta != nil:
			f := calls[len(calls)-1].Function
			f.Arguments = joined(f.Arguments, event.ToolCallDelta.Delta.Message.ToolCalls.Function.Arguments)
		case event.MessageEnd != nil:
			end := event.MessageEnd.Delta
			return k.answered(text, plan, calls, *end.FinishReason, end.Usage)
		}
	}
}

func joined(grown, piece *string) *string {
	switch {
	case piece == nil:
		return grown
	case grown == nil:
		return piece
	}
	whole := *grown + *piece
	return &whole
}

// answered adds an answer to the history.
func (k *cohereTalk) answered(text string, plan *string, calls []*cohere.ToolCallV2, finish cohere.ChatFinishReason, usage *cohere.Usage) (said, error) {
	if finish == cohere.ChatFinishReasonError {
		return said{}, errCut
	}
	message := &cohere.AssistantMessage{ToolPlan: plan, ToolCalls: calls}
	if text != "" {
		message.Content = &cohere.AssistantMessageV2Content{String: text}
	}
	k.messages = append(k.messages, &cohere.ChatMessageV2{Role: "assistant", Assistant: message})
	out := said{Text: text, Stop: stopOf(string(finish), map[string]string{"COMPLETE": stopEnd, "TOOL_CALL": stopTools, "MAX_TOKENS": stopLimit})}
	if usage != nil && usage.Tokens != nil && usage.Tokens.OutputTokens != nil {
		out.Tokens = int64(*usage.Tokens.OutputTokens)
	}
	for _, c := range calls {
		out.Calls = append(out.Calls, call{*c.Id, *c.Function.Name, *c.Function.Arguments})
	}
	return out, nil
}

func cohereStatus(err error) int {
	for status, is := range map[int]func(error) bool{
		400: isA[*cohere.BadRequestError], 404: isA[*cohere.NotFoundError], 429: isA[*cohere.TooManyRequestsError], 500: isA[*cohere.InternalServerError],
	} {
		if is(err) {
			return status
		}
	}
	return 0
}

func TestCohereEvery(t *testing.T) {
	playEvery(t, sdk{own: "cohere", begin: beginCohere, status: cohereStatus})
}

func TestCohereOperations(t *testing.T) {
	s := set(t)
	c := cohereClient(s)
	for _, model := range []string{"cohere/embed-v4.0", "openai/text-embedding-3-small"} {
		answer, err := c.V2.Embed(t.Context(), &cohere.V2EmbedRequest{
			Model: model, Texts: []string{"sea", "sand"}, InputType: cohere.EmbedInputTypeSearchDocument,
			EmbeddingTypes: []cohere.EmbeddingType{cohere.EmbeddingTypeFloat},
		})
		if err != nil || len(answer.Embeddings.Float) != 2 || slices.Equal(answer.Embeddings.Float[0], answer.Embeddings.Float[1]) {
			t.Errorf("%s: got %v, %v want two vectors", model, answer, err)
		}
	}
	ranked, err := c.V2.Rerank(t.Context(), &cohere.V2RerankRequest{Model: "cohere/rerank-v3.5", Query: "sea", Documents: []string{"sand", "the sea"}})
	if err != nil || len(ranked.Results) != 2 || ranked.Results[0].Index != 1 {
		t.Errorf("got %v, %v want the second document first", ranked, err)
	}
	list, err := c.Models.List(t.Context(), &cohere.ModelsListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, model := range list.Models {
		names = append(names, *model.Name)
	}
	for _, model := range scenarios.Every {
		if !slices.Contains(names, model) {
			t.Errorf("got models %v want %s among them", names, model)
		}
	}
}
