package sdktest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go/auth/bearer"
)

// bedrockClient shows its key as a bearer token. The SDK does that only over TLS, which ends before
// the gateway.
func bedrockClient(s stage) *bedrockruntime.Client {
	return bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", BaseEndpoint: behindTLS(s), HTTPClient: terminator{}, Retryer: aws.NopRetryer{},
		BearerAuthTokenProvider: bearer.StaticTokenProvider{Token: bearer.Token{Value: "client-key"}},
		AuthSchemePreference:    []string{"httpBearerAuth"},
	})
}

func behindTLS(s stage) *string {
	return aws.String(strings.Replace(s.Gateway, "http://", "https://", 1))
}

// terminator is what stands before a gateway and takes TLS off. It sends bodies from memory: the SDK
// closes its own when an answer begins, and one that comes at once, as the simulated vendors' does,
// overtakes net/http's last look at the body, which then breaks the connection.
type terminator struct{}

func (terminator) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	if r.Body != nil {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return http.DefaultClient.Do(r)
}

// bearerOfEnv is a client that nobody has told of a key: the SDK reads AWS_BEARER_TOKEN_BEDROCK by itself.
func bearerOfEnv(s stage) *bedrockruntime.Client {
	return bedrockruntime.NewFromConfig(aws.Config{Region: "us-east-1", BaseEndpoint: behindTLS(s), HTTPClient: terminator{}})
}

// signing is a client that knows nothing of bearer tokens, and needs no TLS.
func signing(s stage) *bedrockruntime.Client {
	return bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(s.Gateway), HTTPClient: terminator{}, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "client-secret", ""),
	})
}

// converse is a conversation by Converse and ConverseStream.
type converse struct {
	*bedrockruntime.Client
	input bedrockruntime.ConverseInput
}

func beginConverse(s stage, model string, o offer) talk {
	return newConverse(bedrockClient(s), model, o)
}

func newConverse(c *bedrockruntime.Client, model string, o offer) *converse {
	k := &converse{Client: c, input: bedrockruntime.ConverseInput{ModelId: &model}}
	if o.System != "" {
		k.input.System = []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: o.System}}
	}
	if o.Limit > 0 {
		k.input.InferenceConfig = &types.InferenceConfiguration{MaxTokens: aws.Int32(int32(o.Limit))} //nolint:gosec // small
	}
	if o.Tools {
		k.input.ToolConfig = &types.ToolConfiguration{}
		for name, schema := range toolSchemas() {
			k.input.ToolConfig.Tools = append(k.input.ToolConfig.Tools, &types.ToolMemberToolSpec{Value: types.ToolSpecification{
				Name: &name, Description: aws.String("Tells the " + name + "."),
				InputSchema: &types.ToolInputSchemaMemberJson{Value: document.NewLazyDocument(schema)},
			}})
		}
	}
	return k
}

func (k *converse) add(role types.ConversationRole, blocks ...types.ContentBlock) {
	k.input.Messages = append(k.input.Messages, types.Message{Role: role, Content: blocks})
}

func (k *converse) say(text string, image []byte) {
	blocks := []types.ContentBlock{&types.ContentBlockMemberText{Value: text}}
	if image != nil {
		blocks = append(blocks, &types.ContentBlockMemberImage{Value: types.ImageBlock{
			Format: types.ImageFormatPng, Source: &types.ImageSourceMemberBytes{Value: image},
		}})
	}
	k.add(types.ConversationRoleUser, blocks...)
}

func (k *converse) result(results []result) {
	var blocks []types.ContentBlock
	for _, r := range results {
		blocks = append(blocks, &types.ContentBlockMemberToolResult{Value: types.ToolResultBlock{
			ToolUseId: aws.String(r.ID), Content: []types.ToolResultContentBlock{&types.ToolResultContentBlockMemberText{Value: r.Text}},
		}})
	}
	k.add(types.ConversationRoleUser, blocks...)
}

func (k *converse) ask(ctx context.Context) (said, error) {
	answer, err := k.Converse(ctx, &k.input)
	if err != nil {
		return said{}, err
	}
	message, ok := answer.Output.(*types.ConverseOutputMemberMessage)
	if !ok {
		return said{}, fmt.Errorf("got output %T want a message", answer.Output)
	}
	return k.answered(message.Value.Content, answer.StopReason, answer.Usage)
}

// answered adds an answer to the history.
func (k *converse) answered(blocks []types.ContentBlock, stop types.StopReason, usage *types.TokenUsage) (said, error) {
	k.add(types.ConversationRoleAssistant, blocks...)
	out := said{Stop: stopOf(string(stop), map[string]string{"end_turn": stopEnd, "tool_use": stopTools, "max_tokens": stopLimit})}
	if usage != nil {
		out.Tokens = int64(aws.ToInt32(usage.TotalTokens))
	}
	for _, block := range blocks {
		switch b := block.(type) {
		case *types.ContentBlockMemberText:
			out.Text += b.Value
		case *types.ContentBlockMemberToolUse:
			args, err := b.Value.Input.MarshalSmithyDocument()
			if err != nil {
				return said{}, err
			}
			out.Calls = append(out.Calls, call{*b.Value.ToolUseId, *b.Value.Name, string(args)})
		case *types.ContentBlockMemberReasoningContent: // kept for the next turn
		default:
			return said{}, fmt.Errorf("got a block %T", block)
		}
	}
	return out, nil
}

// pieces is a block of a stream as it grows.
type pieces struct {
	text, signature, input string
	redacted               []byte
	tool                   *types.ToolUseBlockStart
}

func (k *converse) stream(ctx context.Context) (said, error) {
	started, err := k.ConverseStream(ctx, &bedrockruntime.ConverseStreamInput{
		ModelId: k.input.ModelId, Messages: k.input.Messages, System: k.input.System,
		InferenceConfig: k.input.InferenceConfig, ToolConfig: k.input.ToolConfig,
	})
	if err != nil {
		return said{}, err
	}
	stream := started.GetStream()
	defer func() { _ = stream.Close() }()
	blocks := map[int32]*pieces{}
	var thoughts []int32
	var stop types.StopReason
	var usage *types.TokenUsage
	for event := range stream.Events() {
		switch e := event.(type) {
		case *types.ConverseStreamOutputMemberContentBlockStart:
			start, ok := e.Value.Start.(*types.ContentBlockStartMemberToolUse)
			if !ok {
				return said{}, fmt.Errorf("got the start of a block %T", e.Value.Start)
			}
			blocks[*e.Value.ContentBlockIndex] = &pieces{tool: &start.Value}
		case *types.ConverseStreamOutputMemberContentBlockDelta:
			at := *e.Value.ContentBlockIndex
			if blocks[at] == nil {
				blocks[at] = &pieces{}
			}
			if blocks[at].add(e.Value.Delta) && !slices.Contains(thoughts, at) {
				thoughts = append(thoughts, at)
			}
		case *types.ConverseStreamOutputMemberMessageStop:
			stop = e.Value.StopReason
		case *types.ConverseStreamOutputMemberMetadata:
			usage = e.Value.Usage
		}
	}
	if err := stream.Err(); err != nil {
		return said{}, err
	}
	var whole []types.ContentBlock
	for _, at := range slices.Sorted(maps.Keys(blocks)) {
		block, err := blocks[at].block(slices.Contains(thoughts, at))
		if err != nil {
			return said{}, err
		}
		whole = append(whole, block)
	}
	return k.answered(whole, stop, usage)
}

// add takes in a piece, and tells whether it is of a thought.
func (p *pieces) add(delta types.ContentBlockDelta) (thought bool) {
	switch d := delta.(type) {
	case *types.ContentBlockDeltaMemberText:
		p.text += d.Value
	case *types.ContentBlockDeltaMemberToolUse:
		p.input += aws.ToString(d.Value.Input)
	case *types.ContentBlockDeltaMemberReasoningContent:
		switch r := d.Value.(type) {
		case *types.ReasoningContentBlockDeltaMemberText:
			p.text += r.Value
		case *types.ReasoningContentBlockDeltaMemberSignature:
			p.signature += r.Value
		case *types.ReasoningContentBlockDeltaMemberRedactedContent:
			p.redacted = append(p.redacted, r.Value...)
		}
		return true
	}
	return false
}

func (p *pieces) block(thought bool) (types.ContentBlock, error) {
	switch {
	case p.tool != nil:
		var input any = map[string]any{}
		if p.input != "" {
			if err := json.Unmarshal([]byte(p.input), &input); err != nil {
				return nil, fmt.Errorf("arguments %q: %w", p.input, err)
			}
		}
		return &types.ContentBlockMemberToolUse{Value: types.ToolUseBlock{
			ToolUseId: p.tool.ToolUseId, Name: p.tool.Name, Input: document.NewLazyDocument(input),
		}}, nil
	case p.redacted != nil:
		return &types.ContentBlockMemberReasoningContent{Value: &types.ReasoningContentBlockMemberRedactedContent{Value: p.redacted}}, nil
	case thought:
		return &types.ContentBlockMemberReasoningContent{Value: &types.ReasoningContentBlockMemberReasoningText{
			Value: types.ReasoningTextBlock{Text: &p.text, Signature: &p.signature},
		}}, nil
	}
	return &types.ContentBlockMemberText{Value: p.text}, nil
}

func bedrockStatus(err error) int {
	for status, is := range map[int]func(error) bool{
		400: isA[*types.ValidationException], 404: isA[*types.ResourceNotFoundException], 429: isA[*types.ThrottlingException],
		500: isA[*types.InternalServerException], 503: isA[*types.ServiceUnavailableException],
	} {
		if is(err) {
			return status
		}
	}
	return 0
}

func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e) && e.Error() != ""
}

func TestBedrockEvery(t *testing.T) {
	playEvery(t, sdk{own: "bedrock", begin: beginConverse, status: bedrockStatus})
}

// invoke is a conversation of one turn by InvokeModel, with the bodies of Claude.
type invoke struct {
	*bedrockruntime.Client
	model string
	body  map[string]any
}

func (k *invoke) bytes() []byte {
	b, err := json.Marshal(k.body)
	if err != nil {
		panic(err)
	}
	return b
}

func beginInvoke(s stage, model, text string) *invoke {
	return &invoke{Client: bedrockClient(s), model: model, body: map[string]any{
		"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": []any{map[string]any{"role": "user", "content": text}},
	}}
}

// message is what is looked at of one of Claude's answers, and of the events that it is streamed in.
type message struct {
	Type       string
	StopReason string `json:"stop_reason"`
	Content    []struct {
		Type, Text, Name string
		Input            json.RawMessage
	}
	Delta struct{ Text string }
}

func (k *invoke) ask(ctx context.Context) (m message, err error) {
	answer, err := k.InvokeModel(ctx, &bedrockruntime.InvokeModelInput{ModelId: &k.model, ContentType: aws.String("application/json"), Body: k.bytes()})
	if err != nil {
		return message{}, err
	}
	return m, json.Unmarshal(answer.Body, &m)
}

// stream returns the text, and the types of the first and of the last event.
func (k *invoke) stream(ctx context.Context) (text, first, last string, err error) {
	started, err := k.InvokeModelWithResponseStream(ctx, &bedrockruntime.InvokeModelWithResponseStreamInput{
		ModelId: &k.model, ContentType: aws.String("application/json"), Body: k.bytes(),
	})
	if err != nil {
		return "", "", "", err
	}
	stream := started.GetStream()
	defer func() { _ = stream.Close() }()
	for event := range stream.Events() {
		chunk, ok := event.(*types.ResponseStreamMemberChunk)
		if !ok {
			return "", "", "", fmt.Errorf("got an event %T want a chunk", event)
		}
		var m message
		if err := json.Unmarshal(chunk.Value.Bytes, &m); err != nil {
			return "", "", "", err
		}
		if first == "" {
			first = m.Type
		}
		last = m.Type
		text += m.Delta.Text
	}
	return text, first, last, stream.Err()
}

func TestBedrockInvoke(t *testing.T) {
	for _, model := range scenarios.Every {
		t.Run(model, func(t *testing.T) {
			s := set(t)
			k := beginInvoke(s, model, "the sea")
			m, err := k.ask(t.Context())
			if err != nil || len(m.Content) != 1 {
				t.Fatalf("got %+v, %v want one block", m, err)
			}
			wantText(t, m.Type+"|"+m.Content[0].Text+"|"+m.StopReason, "message|You said: the sea|end_turn")
			text, first, last, err := k.stream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			wantText(t, text+"|"+first+"|"+last, "You said: the sea|message_start|message_stop")

			k.body["tools"] = []any{map[string]any{"name": "weather", "input_schema": toolSchemas()["weather"]}}
			m, err = k.ask(t.Context())
			if err != nil || len(m.Content) == 0 {
				t.Fatalf("got %+v, %v want a call", m, err)
			}
			last = m.Content[len(m.Content)-1].Name
			wantText(t, last+"|"+m.StopReason, "weather|tool_use")
		})
		for kind, status := range map[string]int{"invalid-400": 400, "rate-429-none": 429, "overloaded-529": 503} {
			t.Run(model+"/"+kind, func(t *testing.T) {
				s := set(t)
				s.fault(t, vendorOf(model), kind)
				k := beginInvoke(s, model, "the sea")
				_, err := k.ask(t.Context())
				if got := bedrockStatus(err); got != status {
					t.Errorf("got status %d of %v want %d", got, err, status)
				}
				_, _, _, err = k.stream(t.Context())
				if got := bedrockStatus(err); got != status {
					t.Errorf("got status %d of %v for a stream want %d", got, err, status)
				}
			})
		}
		t.Run(model+"/broken", func(t *testing.T) {
			s := set(t)
			s.fault(t, vendorOf(model), "reset-stream")
			text, _, _, err := beginInvoke(s, model, "a b c d e f").stream(t.Context())
			if !isA[*types.ModelStreamErrorException](err) || text == "" {
				t.Errorf("got %q, %v want some text and a ModelStreamErrorException", text, err)
			}
		})
	}
}

func TestBedrockCredentials(t *testing.T) {
	for name, client := range map[string]func(stage) *bedrockruntime.Client{"bearer": bearerOfEnv, "signature": signing} {
		for _, model := range []string{"bedrock-only", "openai-only"} {
			for way, ask := range ways {
				t.Run(name+"/"+model+"/"+way, func(t *testing.T) {
					if name == "bearer" {
						t.Setenv("AWS_BEARER_TOKEN_BEDROCK", "client-key")
					}
					k := newConverse(client(set(t)), model, offer{})
					k.say("the sea", nil)
					answer, err := ask(k, t.Context())
					wantSaid(t, answer, err, "You said: the sea", stopEnd)
				})
			}
		}
	}
}

func TestBedrockModels(t *testing.T) {
	s := set(t)
	c := bedrock.New(bedrock.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(s.Gateway), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "client-secret", ""),
	})
	list, err := c.ListFoundationModels(t.Context(), &bedrock.ListFoundationModelsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, model := range list.ModelSummaries {
		names = append(names, aws.ToString(model.ModelId))
	}
	for _, model := range scenarios.Every {
		if !slices.Contains(names, model) {
			t.Errorf("got models %v want %s among them", names, model)
		}
	}
	one, err := c.GetFoundationModel(t.Context(), &bedrock.GetFoundationModelInput{ModelIdentifier: aws.String("bedrock-first")})
	if err != nil || aws.ToString(one.ModelDetails.ModelId) != "bedrock-first" {
		t.Errorf("got %+v, %v want bedrock-first", one, err)
	}
}
