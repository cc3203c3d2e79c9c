package openaichat

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
)

func BenchmarkCodecs(b *testing.B) { dialecttest.Bench(b, New()) }
