package app

import (
	"bytes"
	"strings"
	"testing"
)

// TestTranslateBinaryStream takes a stream into binary messages and out of them.
func TestTranslateBinaryStream(t *testing.T) {
	const stream = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n" +
		"data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
	var messages, events bytes.Buffer
	if _, err := Translate(strings.NewReader(stream), &messages, Translation{From: "openai-chat", To: "bedrock-converse"}); err != nil {
		t.Fatal(err)
	}
	if messages.Len() == 0 || messages.Bytes()[0] != 0 {
		t.Fatalf("got %q want binary messages", messages.Bytes())
	}
	if _, err := Translate(&messages, &events, Translation{From: "bedrock-converse", To: "anthropic-messages"}); err != nil {
		t.Fatal(err)
	}
	if got := events.String(); !strings.Contains(got, `"text":"Hi"`) || !strings.Contains(got, "message_stop") {
		t.Errorf("got %s want the text and the end", got)
	}
}
