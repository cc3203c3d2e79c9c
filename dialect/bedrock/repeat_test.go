package bedrock

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
)

func TestRepeatsReadTheSame(t *testing.T) { dialecttest.Repeats(t, New(), framesOf([]byte(padded))) }

// padded is a stream with the vendor's padding, in which the block changes.
const padded = `messageStart {"p":"abc","role":"assistant"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"a"},"p":"abcd"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"\\n"},"p":"ab"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"text":""},"p":"abcde"}
contentBlockStop {"contentBlockIndex":0,"p":"a"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"b"},"p":"abcd"}
contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"c"},"p":""}
contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"d"},"p":"a"}
contentBlockStop {"contentBlockIndex":0,"p":"a"}
contentBlockStop {"contentBlockIndex":1,"p":"a"}
messageStop {"p":"abcd","stopReason":"end_turn"}
contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"late"},"p":"a"}
metadata {"metrics":{"latencyMs":1},"p":"a","usage":{"inputTokens":6,"outputTokens":8,"totalTokens":14}}
`
