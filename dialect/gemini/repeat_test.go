package gemini

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
)

func TestRepeatsReadTheSame(t *testing.T) {
	dialecttest.Repeats(t, New(), dialecttest.Frames(t, []byte(repeated)))
}

// repeated has pieces that are the same but for their texts, and between them what ends such a run.
const repeated = `data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}],"modelVersion":"m"}

data: {"candidates":[{"content":{"parts":[{"text":"b"}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":""}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":"\ud83e"}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":"\udd8a"}]}}]}

data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":"c"}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":"d"}]},"index":1}]}

data: {"candidates":[{"content":{"parts":[{"text":"e"}]},"index":1}]}

data: {"candidates":[{"content":{"parts":[{"thought":true,"text":"f"}]}}]}

data: {"candidates":[{"content":{"parts":[{"thought":true,"text":"g"}]}}]}

data: {"candidates":[{"content":{"parts":[{"text":"h"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}

data: {"candidates":[{"content":{"parts":[{"text":"i"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}

data: {"candidates":[{"content":{"parts":[{"text":"i"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":4,"totalTokenCount":5}}

data: {"candidates":[{"content":{"parts":[{"text":"i"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":10,"totalTokenCount":11}}

data: {"candidates":[{"content":{"parts":[{"text":"i"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":9007199254740992,"totalTokenCount":12}}

data: {"candidates":[{"content":{"parts":[{"text":"i"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":13,"totalTokenCount":14}}

data: {"candidates":[{"content":{"parts":[{"text":"j"}]},"finishReason":"STOP"}]}

data: {"candidates":[{"content":{"parts":[{"text":"k"}]},"finishReason":"STOP"},{"index":1,"finishReason":"STOP"}]}

`
